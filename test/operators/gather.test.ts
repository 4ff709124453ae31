import { suite } from 'uvu';
import { f32, type Input, int } from './brute-force.ts';
import { rows } from './suite.ts';

const test = suite('gather');

const index = (below: number, ...shape: number[]): Input => ({ dtype: 'int64', shape, range: [0, below] });

rows(test, [
  // A word embedding.
  ['aw,nc->ncw', 'cnw', { type: 'Gather', inputs: [f32(9, 4), index(9, 2, 5)] }],
  ['naw,c->ncw', 'cnw', { type: 'Gather', inputs: [f32(2, 7, 4), index(7, 3)], attributes: { axis: int(-2) } }],
  [
    'nac,->nc',
    'cn',
    { type: 'Gather', inputs: [f32(3, 7, 4), { ...index(7), dtype: 'int32' }], attributes: { axis: int(1) } },
  ],
  [
    'ncw,ncw->ncw',
    'cnw',
    { type: 'GatherElements', inputs: [f32(4, 5, 6), index(5, 3, 7, 2)], attributes: { axis: int(1) } },
  ],
  ['abc,nd->nc', 'cn', { type: 'GatherND', inputs: [f32(2, 2, 4), index(2, 3, 2)] }],
  [
    'naw,ncb->ncw',
    'cnw',
    { type: 'GatherND', inputs: [f32(2, 5, 3), index(5, 2, 4, 1)], attributes: { batch_dims: int(1) } },
  ],
  [
    'ncw,naw,naw->ncw',
    'nw',
    { type: 'ScatterElements', inputs: [f32(3, 5, 4), index(5, 3, 2, 4), f32(3, 2, 4)], attributes: { axis: int(1) } },
  ],
  [
    'ncw,naw,naw->ncw',
    'nw',
    { type: 'ScatterElements', inputs: [f32(3, 5, 4), index(5, 3, 2, 3), f32(3, 2, 3)], attributes: { axis: int(1) } },
  ],
  [
    'nc,na,na->nc',
    'n',
    { type: 'Scatter', opset: 10, inputs: [f32(3, 4), index(4, 3, 4), f32(3, 4)], attributes: { axis: int(1) } },
  ],
  [
    'ncw,acw,acw->ncw',
    'cw',
    { type: 'ScatterElements', inputs: [f32(3, 6, 5), index(3, 2, 2, 1), f32(2, 2, 1)], attributes: { axis: int(-3) } },
  ],
  ['nc,*,*->ncw', 'cn', { type: 'OneHot', inputs: [index(4, 3, 2), { ...index(5), values: [4] }, f32(2)] }],
  [
    'nw,*,*->ncw',
    'nw',
    { type: 'OneHot', inputs: [index(4, 3, 2), { ...index(5), values: [4] }, f32(2)], attributes: { axis: int(1) } },
  ],
  ['ncyx,nhwp->nchw', 'chnw', { type: 'GridSample', opset: 16, inputs: [f32(2, 3, 5, 4), f32(2, 4, 3, 2)] }],
]);

test.run();
