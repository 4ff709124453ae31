import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Case, f32, int, ints, prove, text } from './brute-force.ts';
import { property, rows } from './suite.ts';
import { windowAttributes, windows } from './window-arbitrary.ts';

const test = suite('conv');

rows(test, [
  ['nchw,ocyx->nohw', 'chnow', { type: 'Conv', inputs: [f32(2, 3, 7, 6), f32(4, 3, 3, 3)] }],
  [
    'nchw,ocyx,o->nohw',
    'chnow',
    { type: 'Conv', inputs: [f32(2, 3, 7, 6), f32(4, 3, 3, 3), f32(4)], attributes: { pads: ints(1, 1, 1, 1) } },
  ],
  // Stem of a ResNet: 7x7, stride 2.
  [
    'nchw,ocyx,o->nohw',
    'chnow',
    {
      type: 'Conv',
      inputs: [f32(2, 3, 17, 16), f32(2, 3, 7, 7), f32(2)],
      attributes: { pads: ints(3, 3, 3, 3), strides: ints(2, 2) },
    },
  ],
  // Padding wider than the kernel: windows that see nothing but padding, at both ends.
  [
    'nchw,ocyx,o->nohw',
    'chnow',
    { type: 'Conv', inputs: [f32(2, 2, 4, 3), f32(2, 2, 2, 2), f32(2)], attributes: { pads: ints(5, 3, 4, 6) } },
  ],
  [
    'nchw,ocyx->nohw',
    'chnow',
    {
      type: 'Conv',
      inputs: [f32(2, 2, 1, 2), f32(2, 2, 2, 2)],
      attributes: { pads: ints(7, 7, 7, 7), strides: ints(3, 2), dilations: ints(2, 3) },
    },
  ],
  // Stride beyond the kernel: rows are free, some input is never read.
  [
    'nchw,ocyx->nohw',
    'chnow',
    { type: 'Conv', inputs: [f32(2, 2, 9, 9), f32(2, 2, 2, 1)], attributes: { strides: ints(4, 3) } },
  ],
  // Depthwise, and groups of several outputs.
  [
    'nohw,oiyx,o->nohw',
    'hnow',
    {
      type: 'Conv',
      inputs: [f32(2, 4, 5, 5), f32(4, 1, 3, 3), f32(4)],
      attributes: { group: int(4), pads: ints(1, 1, 1, 1) },
    },
  ],
  [
    'nohw,oiyx,o->nohw',
    'hnow',
    { type: 'Conv', inputs: [f32(2, 6, 5, 5), f32(9, 2, 3, 3), f32(9)], attributes: { group: int(3) } },
  ],
  [
    'ncw,ocx->now',
    'cnow',
    { type: 'Conv', inputs: [f32(2, 3, 9), f32(4, 3, 3)], attributes: { auto_pad: text('SAME_LOWER') } },
  ],
  ['ncdhw,oczyx->nodhw', 'cdhnow', { type: 'Conv', inputs: [f32(2, 2, 4, 5, 6), f32(2, 2, 2, 3, 1)] }],
]);

test('a tile reads its halo and nothing more', async () => {
  const given: Case = {
    type: 'Conv',
    inputs: [f32(1, 2, 12, 12), f32(2, 2, 3, 3)],
    attributes: { pads: ints(1, 1, 1, 1), strides: ints(2, 1), dilations: ints(1, 2), auto_pad: text('NOTSET') },
  };
  const { cut } = await prove(given);
  const tile = cut.tile({ n: [0, 1], o: [1, 2], c: [0, 2], h: [2, 4], w: [0, 5], y: [0, 3], x: [0, 3] });
  assert.equal(tile.inputs, [
    [
      [0, 1],
      [0, 2],
      [3, 8],
      [0, 8],
    ],
    [
      [1, 2],
      [0, 2],
      [0, 3],
      [0, 3],
    ],
  ]);
  assert.equal(tile.attributes, { pads: ints(0, 1, 0, 0) });
});

test('tiles whose windows skip rows still meet: no rows between them are cut away', async () => {
  const { cut } = await prove({
    type: 'Conv',
    inputs: [f32(1, 2, 9, 1), f32(2, 2, 1, 1)],
    attributes: { strides: ints(3, 1) },
  });
  const rest = { n: [0, 1], o: [0, 2], c: [0, 2], w: [0, 1], y: [0, 1], x: [0, 1] } as const;
  const rows = (
    [
      [0, 1],
      [1, 3],
    ] as const
  ).map((h) => cut.tile({ ...rest, h }).inputs[0]);
  assert.equal(rows, [
    [
      [0, 1],
      [0, 2],
      [0, 3],
      [0, 1],
    ],
    [
      [0, 1],
      [0, 2],
      [3, 9],
      [0, 1],
    ],
  ]);
});

/** Any windows, with or without groups and bias. */
const convolutions = fc
  .record({
    windows: windows((_, reach) => reach + 2),
    batch: fc.integer({ min: 1, max: 2 }),
    group: fc.integer({ min: 1, max: 3 }),
    inputs: fc.integer({ min: 1, max: 3 }),
    outputs: fc.integer({ min: 1, max: 3 }),
    bias: fc.boolean(),
  })
  .map((drawn): Case => {
    const { spatial, kernel } = drawn.windows;
    const outputs = drawn.outputs * drawn.group;
    return {
      type: 'Conv',
      inputs: [
        f32(drawn.batch, drawn.inputs * drawn.group, ...spatial),
        f32(outputs, drawn.inputs, ...kernel),
        ...(drawn.bias ? [f32(outputs)] : []),
      ],
      attributes: { ...windowAttributes(drawn.windows), ...(drawn.group > 1 ? { group: int(drawn.group) } : {}) },
    };
  });
property(test, 'any convolution', 'cdhnow', convolutions, 80);

test.run();
