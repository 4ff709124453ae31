import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, type Input, int } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('along');

const scalar = (value: number): Input => ({ dtype: 'int64', shape: [], values: [value], constant: true });
const one = (value: number): Input => ({ ...scalar(value), shape: [1] });
const x = f32(3, 4, 5);

rows(test, [
  ['ncw->1cw', 'cw', { type: 'ArgMax', inputs: [x] }],
  ['ncw->nc', 'cn', { type: 'ArgMin', inputs: [x], attributes: { axis: int(-1), keepdims: int(0) } }],
  ['ncw,*->ncw', 'nw', { type: 'CumSum', inputs: [x, scalar(1)], attributes: { reverse: int(1) } }],
  ['ncw,*->ncw', 'cn', { type: 'CumProd', opset: 26, inputs: [x, scalar(-1)], attributes: { exclusive: int(1) } }],
  ['ncw,*->nca,nca', 'cn', { type: 'TopK', inputs: [x, one(2)], outputs: [true, true] }],
  [
    'ncw->naw,naw',
    'nw',
    { type: 'TopK', opset: 9, inputs: [x], attributes: { k: int(2), axis: int(1) }, outputs: [true, true] },
  ],
  ['ncw,c->ncw', 'cw', { type: 'ReverseSequence', inputs: [x, { dtype: 'int64', shape: [4], range: [1, 4] }] }],
  [
    'ncw,n->ncw',
    'nw',
    {
      type: 'ReverseSequence',
      inputs: [x, { dtype: 'int64', shape: [3], range: [1, 5] }],
      attributes: { batch_axis: int(0), time_axis: int(1) },
    },
  ],
  ['ncw->n', 'n', { type: 'Det', inputs: [f32(5, 3, 3)] }],
  // Along which dimension it goes is fed.
  ['ncw,*->ncw', '', { type: 'CumSum', inputs: [x, { ...scalar(1), constant: false }] }],
  ['n,*->n', '', { type: 'CumSum', inputs: [f32(5), { ...scalar(0), constant: false }] }],
]);

const any = fc
  .record({
    type: fc.constantFrom('CumSum', 'CumProd', 'ArgMax', 'ArgMin', 'TopK'),
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    axis: fc.nat(3),
    negative: fc.boolean(),
    one: fc.boolean(),
    other: fc.boolean(),
    k: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ type, shape, axis, negative, one: first, other, k }): Case => {
    const at = axis % shape.length;
    const told = negative ? at - shape.length : at;
    const x = f32(...shape);
    const flag = (value: boolean) => int(value ? 1 : 0);
    if (type.startsWith('Cum'))
      return {
        type,
        opset: 26,
        inputs: [x, scalar(told)],
        attributes: { reverse: flag(first), exclusive: flag(other) },
      };
    if (type.startsWith('Arg'))
      return {
        type,
        inputs: [x],
        attributes: { axis: int(told), keepdims: flag(first), select_last_index: flag(other) },
      };
    const attributes = { axis: int(told), largest: flag(first) };
    return { type, inputs: [x, one(Math.min(k, shape[at]!))], attributes, outputs: [true, true] };
  });
property(test, 'any operator along a dimension', 'chnw', any, 80);

test.run();
