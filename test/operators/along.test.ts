import { suite } from 'uvu';
import { f32, type Input, int } from './brute-force.ts';
import { rows } from './suite.ts';

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

test.run();
