import { suite } from 'uvu';
import { f32, int, longs } from './brute-force.ts';
import { rows, wholes } from './suite.ts';

const test = suite('generate');

rows(test, [
  ['*->ncw', 'cnw', { type: 'ConstantOfShape', inputs: [longs(3, 1 + 1, 4)] }],
  ['*->nc', 'cn', { type: 'ConstantOfShape', inputs: [{ ...longs(3, 2), constant: false }] }],
  ['nc->nc', 'cn', { type: 'EyeLike', inputs: [f32(5, 4)] }],
  ['nc->nc', 'cn', { type: 'EyeLike', inputs: [f32(4, 6)], attributes: { k: int(2), dtype: int(7) } }],
  ['nc->nc', 'cn', { type: 'EyeLike', inputs: [f32(5, 3)], attributes: { k: int(-7) } }],
]);

wholes(test, [['empty', { type: 'ConstantOfShape', inputs: [longs(3, 0)] }]]);

test.run();
