import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, int, ints, text } from './brute-force.ts';
import { property, rows, wholes } from './suite.ts';
import { flag, type Windows, windowAttributes, windows } from './window-arbitrary.ts';

const test = suite('pool');

const half = { kernel_shape: ints(2, 2), strides: ints(2, 2) };
const stem = { kernel_shape: ints(3, 3), strides: ints(2, 2), pads: ints(1, 1, 1, 1) };
const x = f32(2, 3, 9, 8);

rows(test, [
  ['nchw->nchw', 'chnw', { type: 'MaxPool', inputs: [x], attributes: half }],
  ['nchw->nchw', 'chnw', { type: 'MaxPool', inputs: [x], attributes: { ...stem, ceil_mode: int(1) } }],
  ['nchw->nchw', 'chnw', { type: 'MaxPool', inputs: [x], attributes: { ...stem, dilations: ints(3, 2) } }],
  ['nchw->nchw', 'chnw', { type: 'MaxPool', inputs: [x], attributes: { ...half, auto_pad: text('SAME_UPPER') } }],
  ['nchw->nchw', 'chnw', { type: 'MaxPool', inputs: [{ ...x, dtype: 'uint8' }], attributes: stem }],
  ['nchw->nchw', 'chnw', { type: 'AveragePool', inputs: [x], attributes: { ...stem, ceil_mode: int(1) } }],
  [
    'nchw->nchw',
    'chnw',
    {
      type: 'AveragePool',
      opset: 19,
      inputs: [x],
      attributes: { ...stem, ceil_mode: int(1), count_include_pad: int(1) },
    },
  ],
  [
    'nchw->nchw',
    'chnw',
    {
      type: 'AveragePool',
      opset: 19,
      inputs: [x],
      attributes: { ...half, dilations: ints(2, 3), pads: ints(1, 0, 1, 1) },
    },
  ],
  ['nchw->nchw', 'chnw', { type: 'LpPool', inputs: [x], attributes: { ...stem, p: int(3) } }],
  ['ncw->ncw', 'cnw', { type: 'MaxPool', inputs: [f32(2, 3, 9)], attributes: { kernel_shape: ints(4) } }],
  ['nchw->nc11', 'chnw', { type: 'GlobalAveragePool', inputs: [x] }],
  ['nchw->nc11', 'chnw', { type: 'GlobalMaxPool', inputs: [x] }],
  ['nchw->nc11', 'cn', { type: 'GlobalLpPool', inputs: [x] }],
  ['nchw->nc11', 'chnw', { type: 'GlobalLpPool', inputs: [x], attributes: { p: int(1) } }],
  ['ncw->nc1', 'cnw', { type: 'GlobalAveragePool', inputs: [f32(2, 3, 9)] }],
  ['ncdhw->nc111', 'cdhnw', { type: 'GlobalAveragePool', inputs: [f32(2, 3, 4, 5, 6)] }],
]);

wholes(test, [['counts positions', { type: 'MaxPool', inputs: [x], attributes: half, outputs: [true, true] }]]);

/** onnxruntime wants padding below the kernel. */
const drawn = windows((kernel) => kernel - 1);
const pooling = (type: string, opset: number, { spatial, ...rest }: Windows, more: Case['attributes']): Case => ({
  type,
  opset,
  inputs: [f32(2, 2, ...spatial)],
  attributes: { ...windowAttributes({ spatial, ...rest }), ...more },
});

property(
  test,
  'any max pooling',
  'cdhnw',
  fc.tuple(drawn, flag('ceil_mode')).map(([w, ceil]) => pooling('MaxPool', 12, w, ceil)),
  60,
);
property(
  test,
  'any average pooling',
  'cdhnw',
  fc
    .tuple(drawn, flag('ceil_mode'), flag('count_include_pad'), fc.constantFrom(7, 11, 19))
    .map(([w, ceil, include, opset]) =>
      pooling('AveragePool', opset, opset < 19 ? { ...w, dilations: w.dilations.map(() => 1) } : w, {
        ...(opset < 10 ? {} : ceil),
        ...include,
      }),
    ),
  60,
);
property(
  test,
  'any Lp pooling',
  'cdhnw',
  fc
    .tuple(drawn, flag('ceil_mode'), fc.integer({ min: 1, max: 3 }))
    .map(([w, ceil, p]) => pooling('LpPool', 18, w, { ...ceil, p: int(p) })),
  40,
);

test.run();
