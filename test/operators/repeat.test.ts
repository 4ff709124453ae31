import { suite } from 'uvu';
import { f32, longs } from './brute-force.ts';
import { rows } from './suite.ts';

const test = suite('repeat');

rows(test, [
  ['cw,*->ncw', 'cnw', { type: 'Expand', inputs: [f32(1, 4), longs(2, 3, 1)] }],
  ['ncw,*->ncw', 'cnw', { type: 'Expand', inputs: [f32(2, 1, 4), { ...longs(3, 1), constant: false }] }],
  ['ncw,*->ncw', 'nw', { type: 'Tile', inputs: [f32(3, 2, 1), longs(1, 2, 4)] }],
]);

test.run();
