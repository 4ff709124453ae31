import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, ints } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('transpose');

rows(test, [
  ['nchw->nhwc', 'chnw', { type: 'Transpose', inputs: [f32(2, 3, 4, 5)], attributes: { perm: ints(0, 2, 3, 1) } }],
  ['ncw->wcn', 'cnw', { type: 'Transpose', inputs: [f32(2, 3, 4)] }],
  ['->', '', { type: 'Transpose', inputs: [f32()] }],
]);

const transposes = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 })
  .chain((shape) =>
    fc.tuple(
      fc.constant(shape),
      fc.shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length }),
    ),
  )
  .map(([shape, perm]): Case => ({ type: 'Transpose', inputs: [f32(...shape)], attributes: { perm: ints(...perm) } }));
property(test, 'any transpose', 'cdhnw', transposes);

test.run();
