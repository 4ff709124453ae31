import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, float, type Input, index, int, ints, longs, text } from './brute-force.ts';
import { property, type Row, rows } from './suite.ts';

const test = suite('regions, patches, signals, losses');

const picture = f32(2, 4, 6, 5);
const deform = (notation: string, letters: string, group: number, offsets: number, mask: boolean): Row => [
  notation,
  letters,
  {
    type: 'DeformConv',
    opset: 19,
    inputs: [
      picture,
      f32(6, 4 / group, 3, 3),
      f32(2, 18 * offsets, 4, 3),
      mask ? f32(6) : null,
      ...(mask ? [f32(2, 9 * offsets, 4, 3)] : []),
    ],
    attributes: { kernel_shape: ints(3, 3), group: int(group), offset_group: int(offsets) },
  },
];
const labels = (...shape: number[]): Input => index(4, ...shape);
const axisFed = (value: number): Input => ({ dtype: 'int64', shape: [], values: [value] });
const loss = (reduction: string, more: Case['attributes'] = {}) => ({ reduction: text(reduction), ...more });

rows(test, [
  deform('ncyx,oczv,nmhw,o,nkhw->nohw', 'cno', 1, 1, true),
  deform('ncyx,oczv,nchw,->nohw', 'cno', 1, 2, false),
  deform('ncyx,oczv,nchw,o,nchw->nohw', 'cno', 1, 4, true),
  deform('noyx,oizv,nmhw,->nohw', 'no', 2, 1, false),
  deform('noyx,oizv,nohw,o,nohw->nohw', 'no', 2, 2, true),
  deform('noyx,oizv,nohw,->nohw', 'no', 2, 4, false),
  ['ncw,*,*->ncw', 'cnw', { type: 'Col2Im', opset: 18, inputs: [f32(2, 6, 4), longs(5), longs(2)] }],
  [
    'nch,*,*->nchw',
    'chn',
    {
      type: 'Col2Im',
      opset: 18,
      inputs: [f32(2, 12, 6), longs(5, 5), longs(2, 2)],
      attributes: { strides: ints(2, 2), pads: ints(0, 1, 0, 0), dilations: ints(1, 1) },
    },
  ],
  // The shape of the patches is fed.
  [
    'nch,*,*->nchw',
    'cn',
    { type: 'Col2Im', opset: 18, inputs: [f32(2, 12, 16), longs(5, 5), { ...longs(2, 2), constant: false }] },
  ],
  [
    'nij,*->nhwp',
    'n',
    { type: 'AffineGrid', opset: 20, inputs: [f32(3, 2, 3), { ...longs(3, 9, 4, 5), constant: false }] },
  ],
  [
    'nij,*->ndhwp',
    'n',
    {
      type: 'AffineGrid',
      opset: 20,
      inputs: [f32(3, 3, 4), longs(3, 2, 2, 3, 4)],
      attributes: { align_corners: int(1) },
    },
  ],
  [
    'ncw,*->ncw',
    'cn',
    { type: 'CenterCropPad', opset: 18, inputs: [f32(2, 3, 4), longs(7)], attributes: { axes: ints(-1) } },
  ],
  [
    'nchw,*->nchw',
    'chn',
    { type: 'CenterCropPad', opset: 18, inputs: [f32(8, 9, 3, 2), { ...longs(5, 4, 3, 5), constant: false }] },
  ],
  [
    'ncw,ab,a->ncw',
    '',
    { type: 'ScatterND', opset: 18, inputs: [f32(3, 4, 2), { ...index(2, 2, 3), values: [0, 1, 0, 2, 3, 1] }, f32(2)] },
  ],
  [
    'ncw,ab,aw->ncw',
    'w',
    {
      type: 'ScatterND',
      opset: 18,
      inputs: [f32(3, 4, 2), { ...index(2, 3, 2), values: [0, 1, 0, 1, 2, 3] }, f32(3, 2)],
      attributes: { reduction: text('add') },
    },
  ],
  ['ncw,naw->ncw', 'nw', { type: 'TensorScatter', opset: 24, inputs: [f32(3, 6, 4), f32(3, 2, 4)] }],
  [
    'nchw,nahw,n->nchw',
    'hnw',
    {
      type: 'TensorScatter',
      opset: 24,
      inputs: [f32(3, 6, 2, 4), f32(3, 2, 2, 4), index(6, 3)],
      attributes: { axis: int(1), mode: text('circular') },
    },
  ],
  ['ncw,->ncw', '', { type: 'DFT', opset: 20, inputs: [f32(1, 6, 2), null], attributes: { onesided: int(0) } }],
  [
    'nchw,*,*->nchw',
    'hn',
    {
      type: 'DFT',
      opset: 20,
      inputs: [f32(3, 5, 4, 1), longs(8), longs(1)].map((input, i) => (i > 0 ? { ...input, shape: [] } : input)),
    },
  ],
  [
    'bfc,*,,*->bfkp',
    'bf',
    {
      type: 'STFT',
      inputs: [f32(2, 17, 1), { ...longs(4), shape: [] }, null, { ...longs(5), shape: [] }],
      attributes: { onesided: int(0) },
    },
  ],
  // Axes, steps and lengths are fed: the shapes show them, or not.
  [
    'ncw,,*->ncw',
    'n',
    { type: 'DFT', opset: 20, inputs: [f32(3, 6, 2), null, axisFed(1)], attributes: { onesided: int(1) } },
  ],
  ['ncw,,*->ncw', '', { type: 'DFT', opset: 20, inputs: [f32(3, 6, 2), null, axisFed(1)] }],
  ['nc,,*->nc', '', { type: 'DFT', opset: 20, inputs: [f32(6, 2), null, axisFed(0)] }],
  ['bfc,*,*->bfkp', 'bf', { type: 'STFT', inputs: [f32(2, 128, 1), axisFed(8), f32(16)] }],
  [
    'bfc,*,,*->bfkp',
    'bf',
    { type: 'STFT', inputs: [f32(2, 128, 1), axisFed(8), null, axisFed(16)], attributes: { onesided: int(0) } },
  ],
  ['bfc,*,,*->bfkp', 'b', { type: 'STFT', inputs: [f32(2, 128, 1), axisFed(8), null, axisFed(16)] }],
  ['bfc,*,*->bfkp', 'b', { type: 'STFT', inputs: [f32(2, 20, 1), axisFed(9), f32(8)] }],
  [
    'nchw,nhw->nhw',
    'hnw',
    { type: 'SoftmaxCrossEntropyLoss', inputs: [f32(2, 4, 3, 5), labels(2, 3, 5)], attributes: loss('none') },
  ],
  [
    'nchw,nhw,c->nhw,nchw',
    'hnw',
    {
      type: 'SoftmaxCrossEntropyLoss',
      inputs: [f32(2, 4, 3, 5), labels(2, 3, 5), f32(4)],
      attributes: loss('none'),
      outputs: [true, true],
    },
  ],
  [
    'ncw,nw->',
    'nw',
    { type: 'NegativeLogLikelihoodLoss', inputs: [f32(3, 4, 5), labels(3, 5)], attributes: loss('mean') },
  ],
  [
    'ncw,nw,c->',
    'nw',
    {
      type: 'NegativeLogLikelihoodLoss',
      inputs: [f32(3, 4, 5), labels(3, 5), f32(4)],
      attributes: loss('sum', { ignore_index: int(2) }),
    },
  ],
  [
    'nc,n,c->',
    '',
    { type: 'NegativeLogLikelihoodLoss', inputs: [f32(3, 4), labels(3), f32(4)], attributes: loss('mean') },
  ],
  [
    'nc,n->,nc',
    '',
    { type: 'SoftmaxCrossEntropyLoss', inputs: [f32(3, 4), labels(3)], attributes: loss('sum'), outputs: [true, true] },
  ],
  [
    'ncyx,r4,r->rchw',
    'cr',
    {
      type: 'RoiAlign',
      opset: 16,
      inputs: [picture, { ...f32(3, 4), values: [0, 0, 4, 4, 1, 1, 3, 5, 0, 2, 2, 5] }, index(2, 3)],
      attributes: { output_height: int(3), mode: text('max'), spatial_scale: float(0.5) },
    },
  ],
]);

/** Patches of every kind, in pictures where some rows none reaches. */
const patches = fc
  .record({
    kernel: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 2 }),
    more: fc.nat(5),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    before: fc.nat(2),
    after: fc.nat(2),
  })
  .map(({ kernel, more, stride, dilation, before, after }): Case => {
    const same = (value: number) => kernel.map(() => value);
    const reach = kernel.map((size) => (size - 1) * dilation + 1);
    const sizes = reach.map((size) => Math.max(1, size + more - before - after));
    const counts = sizes.map((size, i) => Math.floor((size + before + after - reach[i]!) / stride) + 1);
    const product = (values: readonly number[]) => values.reduce((all, value) => all * value, 1);
    return {
      type: 'Col2Im',
      opset: 18,
      inputs: [f32(2, 2 * product(kernel), product(counts)), longs(...sizes), longs(...kernel)],
      attributes: {
        strides: ints(...same(stride)),
        dilations: ints(...same(dilation)),
        pads: ints(...same(before), ...same(after)),
      },
    };
  });
property(test, 'any patches', 'chnw', patches, 100);

test.run();
