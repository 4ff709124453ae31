import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, floats, type Input, ints, longs, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('pad');

const x = f32(2, 3, 5, 4);
const two: Input = { dtype: 'float32', shape: [], values: [2.5], constant: true };
const pad = (mode: string, pads: readonly number[], opset = 13): Case => ({
  type: 'Pad',
  opset,
  inputs: [x, longs(...pads)],
  attributes: { mode: text(mode) },
});

rows(test, [
  ['nchw,*->nchw', 'chnw', pad('constant', [0, 0, 1, 2, 0, 0, 3, 0])],
  // More padding than input: tiles of nothing but padding.
  [
    'nchw,*,*->nchw',
    'chnw',
    { ...pad('constant', [2, 0, 7, 9, 1, 4, 8, 0]), inputs: [x, longs(2, 0, 7, 9, 1, 4, 8, 0), two] },
  ],
  ['nchw,*->nchw', 'chnw', pad('constant', [0, -1, -2, 3, 1, 0, 4, -3])],
  ['nchw,*->nchw', 'chnw', pad('edge', [1, 0, 7, 0, 0, 2, 0, 6])],
  ['nchw,*->nchw', 'chnw', pad('edge', [1, 0, -1, 3, 0, 0, 3, -2])],
  ['nchw,*->nchw', 'chnw', pad('reflect', [0, 0, 4, 3, 0, 0, 4, 3])],
  ['nchw,*->nchw', 'chnw', pad('reflect', [1, 2, 1, 0, 1, 0, 2, 1])],
  ['nchw,*->nchw', 'chnw', pad('wrap', [0, 1, 5, 2, 1, 0, 5, 1], 19)],
  ['nchw,*->nchw', 'cnw', pad('reflect', [0, 0, -1, 3, 0, 0, 2, 0])],
  ['nchw->nchw', 'chnw', { type: 'Pad', opset: 2, inputs: [x], attributes: { pads: ints(0, 0, 1, 1, 0, 0, 2, 0) } }],
  [
    'nchw->nchw',
    'chnw',
    { type: 'Pad', opset: 10, inputs: [x], attributes: { pads: ints(0, 0, 1, 1, 0, 0, 2, 0), mode: text('reflect') } },
  ],
  ['nchw,*,*,*->nchw', 'chnw', { type: 'Pad', opset: 18, inputs: [x, longs(3, 1, 0, 2), two, longs(-1, 2)] }],
  ['nchw,*,,*->nchw', 'chnw', { type: 'Pad', opset: 18, inputs: [x, longs(3, 1, 0, 2), null, longs(-1, 2)] }],
]);

const fed = (...values: number[]): Input => ({ ...longs(...values), constant: false });
rows(test, [
  // How much is padded is fed: what is not padded for certain can be cut.
  ['nchw,*->nchw', '', { type: 'Pad', inputs: [x, fed(0, 0, 1, 1, 0, 0, 1, 1)] }],
  ['nchw,*,,*->nchw', 'cn', { type: 'Pad', opset: 18, inputs: [x, fed(3, 1, 0, 2), null, longs(-1, 2)] }],
  ['nchw,*,,*->nchw', '', { type: 'Pad', opset: 18, inputs: [x, longs(3, 1, 0, 2), null, fed(-1, 2)] }],
]);

const any = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
    mode: fc.constantFrom('constant', 'edge', 'reflect', 'wrap'),
    amounts: fc.array(fc.integer({ min: -2, max: 7 }), { minLength: 6, maxLength: 6 }),
  })
  .map(({ shape, mode, amounts }): Case => {
    const most = (size: number) => (mode === 'reflect' ? size - 1 : mode === 'wrap' ? size : 9);
    const pads = [...shape, ...shape].map((size, i) => {
      const least = size === 1 || mode === 'reflect' || mode === 'wrap' ? 0 : Math.ceil((1 - size) / 2);
      return Math.max(least, Math.min(most(size), amounts[i]!));
    });
    return {
      type: 'Pad',
      opset: 19,
      inputs: [f32(...shape), longs(...pads), ...(mode === 'constant' ? [{ ...floats(0.5), shape: [] }] : [])],
      attributes: { mode: text(mode) },
    };
  });
property(test, 'any padding', 'cnw', any, 100);

test.run();
