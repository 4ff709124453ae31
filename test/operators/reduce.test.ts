import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, type Input, int, ints, longs } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('reduce');

const x = f32(2, 3, 4, 5);
const integers: Input = { dtype: 'int32', shape: [2, 3, 4], range: [-4, 5] };
rows(test, [
  ['nchw->nc11', 'chnw', { type: 'ReduceMean', inputs: [x], attributes: { axes: ints(2, 3) } }],
  ['nchw->nc', 'chnw', { type: 'ReduceMean', inputs: [x], attributes: { axes: ints(-1, -2), keepdims: int(0) } }],
  ['nchw,*->nch', 'chnw', { type: 'ReduceMean', opset: 18, inputs: [x, longs(3)], attributes: { keepdims: int(0) } }],
  ['nchw->1111', 'chnw', { type: 'ReduceSum', inputs: [x] }],
  ['nchw->', 'chnw', { type: 'ReduceSum', inputs: [x], attributes: { keepdims: int(0) } }],
  ['nchw->nchw', 'chnw', { type: 'ReduceSum', inputs: [x], attributes: { noop_with_empty_axes: int(1) } }],
  [
    'nchw,*->nchw',
    'chnw',
    {
      type: 'ReduceSum',
      inputs: [x, { dtype: 'int64', shape: [0], values: [], constant: true }],
      attributes: { noop_with_empty_axes: int(1) },
    },
  ],
  ['nchw->n1hw', 'chnw', { type: 'ReduceSum', opset: 11, inputs: [x], attributes: { axes: ints(1) } }],
  ['nchw,*->nc1w', 'chnw', { type: 'ReduceMax', opset: 18, inputs: [x, longs(2)] }],
  ['nchw->nch1', 'chnw', { type: 'ReduceMin', inputs: [x], attributes: { axes: ints(3) } }],
  ['ncw->nc1', 'cnw', { type: 'ReduceProd', inputs: [integers], attributes: { axes: ints(2) } }],
  ['ncw->n11', 'cnw', { type: 'ReduceL1', inputs: [integers], attributes: { axes: ints(1, 2) } }],
  ['ncw->n1w', 'cnw', { type: 'ReduceSumSquare', inputs: [integers], attributes: { axes: ints(1) } }],
  // What cannot be combined stays whole; so does the mean of integers, which rounds.
  ['ncw->n1w', 'nw', { type: 'ReduceMean', inputs: [integers], attributes: { axes: ints(1) } }],
  ['nchw->nc11', 'cn', { type: 'ReduceL2', inputs: [x], attributes: { axes: ints(2, 3) } }],
  ['nchw->nc1w', 'cnw', { type: 'ReduceLogSum', inputs: [{ ...x, range: [0.1, 2] }], attributes: { axes: ints(2) } }],
  ['nchw->nc1w', 'cnw', { type: 'ReduceLogSumExp', inputs: [x], attributes: { axes: ints(2) } }],
  ['nc->n1', 'n', { type: 'ReduceMax', inputs: [{ dtype: 'int8', shape: [3, 4] }], attributes: { axes: ints(1) } }],
]);

const fed = (...values: number[]): Input => ({ ...longs(...values), constant: false });
const none: Input = { dtype: 'int64', shape: [0] };
const square = f32(3, 3, 4);
const gone = { keepdims: int(0) };
rows(test, [
  // The axes are fed: the shapes say which they are, or leave some dimensions open.
  ['nchw,*->n1hw', 'chnw', { type: 'ReduceSum', inputs: [x, fed(1)] }],
  ['nchw,*->n1h1', 'chnw', { type: 'ReduceMean', opset: 18, inputs: [x, fed(-1, 1)] }],
  ['nchw,*->n1hw', 'hnw', { type: 'ReduceL2', opset: 18, inputs: [x, fed(1)] }],
  ['nchw,*->nhw', 'chnw', { type: 'ReduceMax', opset: 18, inputs: [x, fed(1)], attributes: gone }],
  ['ncw,*->aw', 'w', { type: 'ReduceSum', inputs: [square, fed(0)], attributes: gone }],
  ['ncw,*->n', 'cnw', { type: 'ReduceSum', inputs: [f32(2, 3, 4), fed(2, 1)], attributes: gone }],
  ['ncw,*->111', 'cnw', { type: 'ReduceSum', inputs: [square, none] }],
  ['ncw,*->111', '', { type: 'ReduceLogSumExp', opset: 18, inputs: [square, none] }],
  ['ncw,*->', 'cnw', { type: 'ReduceL1', opset: 18, inputs: [square, none], attributes: gone }],
  ['ncw,*->ncw', 'cnw', { type: 'ReduceSum', inputs: [square, none], attributes: { noop_with_empty_axes: int(1) } }],
]);

const any = fc
  .record({
    type: fc.constantFrom('Sum', 'Mean', 'Max', 'Min', 'Prod', 'L1', 'SumSquare', 'L2', 'LogSumExp'),
    opset: fc.constantFrom(11, 13, 18),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    axes: fc.uniqueArray(fc.nat(3), { minLength: 1, maxLength: 3 }),
    negative: fc.boolean(),
    keep: fc.boolean(),
    told: fc.boolean(),
  })
  .map(({ type, opset, shape, axes, negative, keep, told }): Case => {
    const reduced = axes.filter((axis) => axis < shape.length).map((axis) => (negative ? axis - shape.length : axis));
    const asInput = opset >= (type === 'Sum' ? 13 : 18);
    return {
      type: `Reduce${type}`,
      opset,
      inputs: [f32(...shape), ...(asInput && reduced.length > 0 ? [(told ? fed : longs)(...reduced)] : [])],
      attributes: {
        ...(keep ? {} : { keepdims: int(0) }),
        ...(asInput || reduced.length === 0 ? {} : { axes: ints(...reduced) }),
      },
    };
  });
property(test, 'any reduction', 'chnw', any, 80);

test.run();
