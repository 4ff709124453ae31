import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, longs } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('repeat');

rows(test, [
  ['cw,*->ncw', 'cnw', { type: 'Expand', inputs: [f32(1, 4), longs(2, 3, 1)] }],
  ['ncw,*->ncw', 'cnw', { type: 'Expand', inputs: [f32(2, 1, 4), { ...longs(3, 1), constant: false }] }],
  ['ncw,*->ncw', 'cnw', { type: 'Tile', inputs: [f32(3, 2, 1), longs(1, 2, 4)] }],
  ['ncw,*->ncw', 'cnw', { type: 'Tile', inputs: [f32(2, 3, 4), { ...longs(3, 2, 1), constant: false }] }],
]);

const tiled = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })), { minLength: 1, maxLength: 3 })
  .map((dimensions): Case => {
    const sizes = dimensions.map(([size]) => size);
    return { type: 'Tile', inputs: [f32(...sizes), longs(...dimensions.map(([, times]) => times))] };
  });
property(test, 'any repetition', 'cnw', tiled, 60);

test.run();
