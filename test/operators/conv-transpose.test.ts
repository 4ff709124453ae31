import fc from 'fast-check';
import { suite } from 'uvu';
import type { Attributes } from '../../compiler/ir/program.ts';
import { type Case, f32, int, ints, text } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('conv-transpose');

const x = f32(2, 3, 4, 5);
const conv = (attributes: Attributes, w = f32(3, 4, 3, 3), input = x): Case => ({
  type: 'ConvTranspose',
  inputs: [input, w, f32(4)],
  attributes,
});

rows(test, [
  ['nchw,coyx,o->nohw', 'chnow', conv({})],
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(2, 2), pads: ints(1, 1, 1, 1), output_padding: ints(1, 1) })],
  // No overlap: rows are free.
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(2, 2) }, f32(3, 4, 2, 2))],
  // A stride beyond the kernel leaves gaps of nothing but bias, output_padding more of them.
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(4, 3), output_padding: ints(3, 2) }, f32(3, 4, 1, 2))],
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(2, 3), output_shape: ints(8, 14) })],
  [
    'nchw,coyx,o->nohw',
    'chnow',
    conv({ strides: ints(2, 3), output_shape: ints(7, 11), auto_pad: text('SAME_UPPER') }),
  ],
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(2, 3), auto_pad: text('SAME_UPPER') }, f32(3, 4, 3, 4))],
  ['nchw,coyx,o->nohw', 'chnow', conv({ strides: ints(2, 3), auto_pad: text('SAME_LOWER') }, f32(3, 4, 3, 4))],
  ['nchw,coyx,o->nohw', 'chnow', conv({ dilations: ints(2, 3), auto_pad: text('VALID') })],
  ['nohw,oiyx,o->nohw', 'hnow', conv({ group: int(2), strides: ints(2, 1) }, f32(4, 2, 3, 2), f32(2, 4, 4, 5))],
  ['nohw,oiyx,o->nohw', 'hnow', conv({ group: int(4) }, f32(4, 1, 3, 3), f32(2, 4, 4, 5))],
  [
    'ncw,cox->now',
    'cnow',
    { type: 'ConvTranspose', inputs: [f32(2, 3, 6), f32(3, 2, 4)], attributes: { strides: ints(2) } },
  ],
  [
    'ncdhw,cozyx->nodhw',
    'cdhnow',
    { type: 'ConvTranspose', inputs: [f32(2, 2, 2, 3, 4), f32(2, 2, 2, 3, 2)], attributes: { strides: ints(2, 1, 2) } },
  ],
]);

const dimension = fc.record({
  size: fc.integer({ min: 1, max: 6 }),
  kernel: fc.integer({ min: 1, max: 4 }),
  stride: fc.integer({ min: 1, max: 4 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.nat(3),
  end: fc.nat(3),
  extra: fc.nat(3),
});
const any = fc
  .record({
    dimensions: fc.array(dimension, { minLength: 1, maxLength: 2 }),
    group: fc.integer({ min: 1, max: 2 }),
    inputs: fc.integer({ min: 1, max: 2 }),
    outputs: fc.integer({ min: 1, max: 2 }),
    padding: fc.constantFrom('pads', 'pads', 'shape', 'SAME_UPPER', 'SAME_LOWER', 'VALID'),
  })
  .map(({ dimensions, group, inputs, outputs, padding }): Case => {
    const all = dimensions.map((d) => {
      const full = (d.size - 1) * d.stride + (d.kernel - 1) * d.dilation + 1;
      const begin = Math.min(d.begin, full - 1);
      const asked = padding.startsWith('SAME');
      const kernel = asked && d.dilation * (d.kernel - 1) + 1 < d.stride ? d.stride : d.kernel;
      return {
        ...d,
        kernel,
        begin,
        end: Math.min(d.end, full - 1 - begin),
        extra: asked ? 0 : Math.min(d.extra, d.stride - 1),
        wanted: Math.max(1, full - d.begin),
      };
    });
    const list = (pick: (d: (typeof all)[number]) => number) => ints(...all.map(pick));
    return {
      type: 'ConvTranspose',
      inputs: [
        f32(2, inputs * group, ...all.map(({ size }) => size)),
        f32(inputs * group, outputs, ...all.map(({ kernel }) => kernel)),
        f32(outputs * group),
      ],
      attributes: {
        strides: list((d) => d.stride),
        dilations: list((d) => d.dilation),
        output_padding: list((d) => d.extra),
        ...(group > 1 ? { group: int(group) } : {}),
        ...(padding === 'pads' ? { pads: ints(...all.map((d) => d.begin), ...all.map((d) => d.end)) } : {}),
        ...(padding === 'shape' ? { output_shape: list((d) => d.wanted) } : {}),
        ...(padding === 'pads' || padding === 'shape' ? {} : { auto_pad: text(padding) }),
      },
    };
  });
property(test, 'any transposed convolution', 'chnow', any, 100);

test.run();
