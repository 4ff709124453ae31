import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attributes } from '../../compiler/ir/program.ts';
import { type Case, f32, floats, type Input, int, ints, longs, prove, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('resize');

const mode = (name: string, coordinates?: string, more: Attributes = {}): Attributes => ({
  mode: text(name),
  ...(coordinates ? { coordinate_transformation_mode: text(coordinates) } : {}),
  ...more,
});
const byScales = (x: Input, scales: readonly number[], attributes: Attributes, opset = 13): Case => ({
  type: 'Resize',
  opset,
  inputs: [x, null, floats(...scales)],
  attributes,
});
const bySizes = (x: Input, sizes: readonly number[], attributes: Attributes, opset = 13): Case => ({
  type: 'Resize',
  opset,
  inputs: [x, null, null, longs(...sizes)],
  attributes,
});
const x = f32(2, 2, 7, 6);
const empty: Input = { dtype: 'float32', shape: [0], values: [], constant: true };

rows(test, [
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 3], mode('nearest', 'asymmetric', { nearest_mode: text('floor') }))],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 2], mode('nearest'))],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 2], mode('linear', 'half_pixel'))],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 4], mode('linear', 'pytorch_half_pixel'))],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 0.5, 1.5], mode('linear', 'asymmetric'))],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 3], mode('cubic'))],
  ['nchw,,,*->nchw', 'chnw', bySizes(x, [2, 2, 14, 3], mode('cubic', 'asymmetric', { exclude_outside: int(1) }))],
  // 6 to 9: tiles begin at every second input element. 7 to 9: nowhere inside.
  ['nchw,,,*->nchw', 'cnw', bySizes(x, [2, 2, 9, 9], mode('linear'))],
  ['nchw,,,*->nchw', 'chnw', bySizes(x, [2, 2, 14, 4], mode('nearest'))],
  // Corners meet every (7-1)/gcd elements.
  ['nchw,,,*->nchw', 'chnw', bySizes(x, [2, 2, 10, 11], mode('linear', 'align_corners'))],
  ['nchw,,*->nchw', 'chn', byScales(f32(2, 2, 5, 6), [1, 1, 2.7, 2], mode('linear', 'align_corners'))],
  ['nchw,,*->nchw', 'cn', byScales(x, [1, 1, 1.1, 2], mode('linear', 'align_corners'))],
  // One picture element spread over all: the end of a pyramid pooling.
  ['nchw,,,*->nchw', 'chnw', bySizes(f32(2, 3, 1, 1), [2, 3, 5, 4], mode('linear'))],
  ['nchw,,*->nchw', 'chnw', byScales(f32(2, 3, 1, 1), [1, 1, 5, 4], mode('nearest'))],
  // Opset 10 and Upsample; opset 11 wants a roi and scales, if empty.
  [
    'nchw,*->nchw',
    'chnw',
    { type: 'Resize', opset: 10, inputs: [x, floats(1, 1, 2, 0.5)], attributes: mode('nearest') },
  ],
  [
    'nchw,*->nchw',
    'chnw',
    { type: 'Resize', opset: 10, inputs: [x, floats(1, 1, 0.5, 1.5)], attributes: mode('linear') },
  ],
  ['nchw,*->nchw', 'chnw', { type: 'Upsample', opset: 9, inputs: [x, floats(1, 1, 2, 3)] }],
  [
    'nchw->nchw',
    'chnw',
    { type: 'Upsample', opset: 7, inputs: [x], attributes: { scales: { kind: 'floats', value: [1, 1, 2, 2] } } },
  ],
  [
    'nchw,*,*->nchw',
    'chnw',
    { type: 'Resize', opset: 11, inputs: [x, empty, floats(1, 1, 2, 2)], attributes: mode('nearest') },
  ],
  [
    'nchw,*,*,*->nchw',
    'chnw',
    { type: 'Resize', opset: 11, inputs: [x, empty, empty, longs(2, 2, 14, 12)], attributes: mode('linear') },
  ],
  [
    'nchw,,,*->nchw',
    'chnw',
    { ...bySizes(x, [14, 3], mode('linear', 'half_pixel', { axes: ints(2, -1) })), opset: 18 },
  ],
  [
    'nchw,,*->nchw',
    'chnw',
    { ...byScales(x, [2, 0.5], mode('linear', 'half_pixel', { axes: ints(2, 3) })), opset: 19 },
  ],
  [
    'nchw,,*->nchw',
    'chnw',
    byScales(f32(2, 2, 16, 12), [1, 1, 0.5, 0.5], mode('linear', 'half_pixel', { antialias: int(1) }), 18),
  ],
  [
    'nchw,,*->nchw',
    'chnw',
    byScales(f32(2, 2, 20, 16), [1, 1, 0.5, 0.25], mode('cubic', 'half_pixel', { antialias: int(1) }), 18),
  ],
  ['nchw,,*->nchw', 'chnw', byScales(x, [1, 1, 2, 0.5], mode('linear', 'half_pixel_symmetric'), 19)],
  [
    'nchw,*,*->nchw',
    'chnw',
    {
      type: 'Resize',
      opset: 11,
      inputs: [x, empty, floats(1, 1, 2, 2)],
      attributes: mode('nearest', 'tf_half_pixel_for_nn'),
    },
  ],
  ['ncw,,*->ncw', 'cnw', byScales(f32(2, 3, 6), [1, 1, 3], mode('nearest'))],
]);

const fedScales = (...values: number[]): Input => ({ ...floats(...values), constant: false });
const fedBy = (name: string, scales: readonly number[], input = x): Case => ({
  ...byScales(input, scales, mode(name)),
  inputs: [input, null, fedScales(...scales)],
});
const keeping = (policy: string, sizes: readonly number[], coordinates = 'half_pixel') =>
  mode('linear', coordinates, { keep_aspect_ratio_policy: text(policy), axes: ints(...sizes.map((_, i) => 2 + i)) });
const cropped = (more: Attributes = {}) => mode('linear', 'tf_crop_and_resize', more);

rows(test, [
  // The scales are fed: onnxruntime insists that some dimensions keep their size, any other may be resized.
  ['nchw,,*->nchw', '', fedBy('nearest', [1, 1, 2, 2])],
  ['nchw,,*->nchw', 'n', fedBy('linear', [1, 1, 2, 2])],
  ['nchw,,*->nchw', 'cn', fedBy('cubic', [1, 1, 2, 2])],
  ['ncdhw,,*->ncdhw', 'cn', fedBy('linear', [1, 1, 2, 2, 2], f32(2, 3, 4, 3, 2))],
  ['nchw,*->nchw', 'n', { type: 'Upsample', opset: 9, inputs: [x, fedScales(1, 1, 2, 2)], attributes: mode('linear') }],
  // One scale for all that their sizes ask for.
  [
    'nchw,,,*->nchw',
    'chnw',
    { type: 'Resize', opset: 18, inputs: [x, null, null, longs(14, 12)], attributes: keeping('not_larger', [14, 12]) },
  ],
  [
    'nchw,,,*->nchw',
    'cn',
    { type: 'Resize', opset: 18, inputs: [x, null, null, longs(7, 9)], attributes: keeping('not_smaller', [7, 9]) },
  ],
  // A region of interest: dimensions outside of it.
  [
    'nchw,*,*->nchw',
    'cn',
    {
      type: 'Resize',
      inputs: [x, floats(0, 0, 0.2, 0.2, 1, 1, 0.8, 0.8), floats(1, 1, 2, 2)],
      attributes: cropped(),
    },
  ],
  [
    'nchw,*,,*->nchw',
    'cn',
    {
      type: 'Resize',
      opset: 18,
      inputs: [x, fedScales(0.2, 0.2, 0.8, 0.8), null, longs(5, 5)],
      attributes: cropped({ axes: ints(2, 3) }),
    },
  ],
  [
    'nchw,*,,*->nchw',
    'chn',
    {
      type: 'Resize',
      opset: 18,
      inputs: [x, floats(0, 0.2, 1, 0.8), null, longs(7, 5)],
      attributes: cropped({ axes: ints(2, 3) }),
    },
  ],
  ['nchw,,*->nchw', 'cn', byScales(x, [1, 1, 1.3, 1.3], mode('linear', 'half_pixel_symmetric'), 19)],
]);

test('nearest by two reads no halo', async () => {
  const { cut } = await prove(byScales(x, [1, 1, 2, 2], mode('nearest')));
  const tile = cut.tile({ n: [0, 2], c: [0, 2], h: [4, 8], w: [0, 12] });
  assert.equal(tile.inputs[0], [
    [0, 2],
    [0, 2],
    [2, 4],
    [0, 6],
  ]);
  assert.is(tile.crop, undefined);
});

test('half a linear upsampling reads one row beyond', async () => {
  const { cut } = await prove(byScales(x, [1, 1, 2, 2], mode('linear')));
  const tile = cut.tile({ n: [0, 2], c: [0, 2], h: [0, 6], w: [0, 12] });
  assert.equal(tile.inputs[0], [
    [0, 2],
    [0, 2],
    [0, 4],
    [0, 6],
  ]);
  assert.equal(tile.crop, [
    [0, 2],
    [0, 2],
    [0, 6],
    [0, 12],
  ]);
});

/** Sizes and scales of every kind; where a dimension cannot be cut the rule must say so itself. */
const coordinates = ['half_pixel', 'pytorch_half_pixel', 'asymmetric', 'align_corners'];
const rounds = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'];
const anyResize = fc
  .record({
    size: fc.tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 })),
    scale: fc.constantFrom([2, 2], [3, 0.5], [1.5, 2], [0.25, 4], [1.25, 1], [1 / 3, 2], [2 / 3, 5], [0.6, 1.1]),
    told: fc.constantFrom('scales', 'sizes', 'odd sizes'),
    name: fc.constantFrom('nearest', 'nearest', 'linear', 'cubic'),
    coordinate: fc.constantFrom(...coordinates),
    round: fc.constantFrom(...rounds),
    outside: fc.boolean(),
    more: fc.nat(3),
  })
  .map(({ size, scale, told, name, coordinate, round, outside, more }): Case => {
    const sizes = size.map((extent, i) => Math.max(1, Math.floor(Math.fround(extent * Math.fround(scale[i]!)))));
    const fits = sizes.every((extent, i) => extent === Math.floor(Math.fround(size[i]! * Math.fround(scale[i]!))));
    const attributes = mode(name, coordinate, {
      ...(name === 'nearest' ? { nearest_mode: text(round) } : {}),
      ...(name === 'cubic' && outside ? { exclude_outside: int(1) } : {}),
    });
    const input = f32(1, 2, ...size);
    if (told === 'scales' && fits) return byScales(input, [1, 1, ...scale], attributes);
    const odd = told === 'odd sizes' ? more : 0;
    return bySizes(input, [1, 2, ...sizes.map((extent) => extent + odd)], attributes);
  });
property(test, 'any resize', 'chw', anyResize, 250);

test.run();
