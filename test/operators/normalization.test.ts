import fc from 'fast-check';
import { suite } from 'uvu';
import { type Case, f32, float, type Input, int, ints } from './brute-force.ts';
import { property, type Row, rows } from './suite.ts';

const test = suite('normalization');

const positive = (...shape: number[]): Input => ({ dtype: 'float32', shape, range: [0.2, 2] });
const x = f32(2, 6, 4, 3);
const batch = (shape: Input, channels: number) => [
  shape,
  f32(channels),
  f32(channels),
  f32(channels),
  positive(channels),
];

const lrn = (size: number): Row => [
  'nchw->nchw',
  'chnw',
  { type: 'LRN', inputs: [x], attributes: { size: int(size), alpha: float(0.5) } },
];

rows(test, [
  ['nchw,c,c,c,c->nchw', 'chnw', { type: 'BatchNormalization', inputs: batch(x, 6) }],
  ['nchw,c,c,c,c->nchw', 'chnw', { type: 'BatchNormalization', opset: 7, inputs: batch(x, 6) }],
  ['nc,c,c,c,c->nc', 'cn', { type: 'BatchNormalization', opset: 9, inputs: batch(f32(4, 3), 3) }],
  ['nchw,c,c->nchw', 'cn', { type: 'InstanceNormalization', inputs: [x, f32(6), f32(6)] }],
  [
    'nchw,c,c->nchw',
    'cn',
    { type: 'GroupNormalization', opset: 21, inputs: [x, f32(6), f32(6)], attributes: { num_groups: int(3) } },
  ],
  [
    'nchw,c,c->nchw',
    'cn',
    { type: 'GroupNormalization', opset: 18, inputs: [x, f32(3), f32(3)], attributes: { num_groups: int(3) } },
  ],
  ['ncw,w,w->ncw', 'cn', { type: 'LayerNormalization', inputs: [f32(2, 3, 8), f32(8), f32(8)] }],
  ['ncw,w->ncw', 'cn', { type: 'LayerNormalization', inputs: [f32(2, 3, 8), f32(8)] }],
  [
    'nchw,hw,w->nchw,nc11,nc11',
    'cn',
    {
      type: 'LayerNormalization',
      inputs: [x, f32(4, 3), f32(3)],
      attributes: { axis: int(2) },
      outputs: [true, true, true],
    },
  ],
  [
    'ncw,w->ncw,,n11',
    'n',
    {
      type: 'LayerNormalization',
      inputs: [f32(3, 2, 4), f32(4)],
      attributes: { axis: int(1) },
      outputs: [true, false, true],
    },
  ],
  ['ncw,w->ncw', 'cn', { type: 'RMSNormalization', opset: 23, inputs: [f32(2, 3, 8), f32(8)] }],
  ['nchw->nchw', 'cnw', { type: 'LpNormalization', inputs: [x], attributes: { axis: int(2), p: int(1) } }],
  ['nchw->nchw', 'chn', { type: 'LpNormalization', inputs: [x] }],
  ['nchw->nchw', 'c', { type: 'MeanVarianceNormalization', inputs: [x] }],
  ['nchw->nchw', 'cn', { type: 'MeanVarianceNormalization', inputs: [x], attributes: { axes: ints(2, 3) } }],
  lrn(1),
  lrn(3),
  lrn(5),
  lrn(11),
]);

/** One statistic a channel and place. */
const features = [f32(6, 4, 3), f32(6, 4, 3), f32(6, 4, 3), positive(6, 4, 3)];
rows(test, [
  [
    'nchw,c,c,c,c->nchw,c,c',
    'c',
    {
      type: 'BatchNormalization',
      inputs: batch(x, 6),
      attributes: { training_mode: int(1) },
      outputs: [true, true, true],
    },
  ],
  [
    'nchw,chw,chw,chw,chw->nchw',
    'chnw',
    { type: 'BatchNormalization', opset: 7, inputs: [x, ...features], attributes: { spatial: int(0) } },
  ],
]);

const any = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 4 }),
    axis: fc.nat(3),
    negative: fc.boolean(),
    some: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    size: fc.integer({ min: 1, max: 9 }),
    kind: fc.constantFrom('Layer', 'RMS', 'Lp', 'MeanVariance', 'LRN', 'Group', 'Instance', 'Batch', 'training'),
  })
  .map(({ shape, axis, negative, some, size, kind }): Case => {
    const at = axis % shape.length;
    const told = { axis: int(negative ? at - shape.length : at) };
    const [given, channels, inner] = [f32(...shape), shape[1]!, shape.slice(at)];
    const [first, second] = some;
    // Both need a dimension behind the channels; one group normalizes one element of each otherwise.
    const picture = f32(...shape.slice(0, 2), ...(shape.length > 2 ? shape.slice(2) : [3]));
    switch (kind) {
      case 'Layer':
        return {
          type: 'LayerNormalization',
          inputs: [given, f32(...inner), ...(first ? [f32(...inner)] : [])],
          attributes: told,
          outputs: [true, first!, second!],
        };
      case 'RMS':
        return { type: 'RMSNormalization', opset: 23, inputs: [given, f32(...inner)], attributes: told };
      case 'Lp':
        return { type: 'LpNormalization', inputs: [given], attributes: { ...told, p: int(first ? 1 : 2) } };
      case 'MeanVariance': {
        const axes = [...shape.keys()].filter((i) => i === at || some[i]);
        return { type: 'MeanVarianceNormalization', inputs: [given], attributes: { axes: ints(...axes) } };
      }
      case 'LRN':
        return { type: 'LRN', inputs: [f32(2, (size % 5) + 1, 3, 2)], attributes: { size: int(2 * (size >> 1) + 1) } };
      case 'Group': {
        const groups = [...Array(channels).keys()].map((i) => i + 1).filter((count) => channels % count === 0);
        const attributes = { num_groups: int(groups[size % groups.length]!) };
        return { type: 'GroupNormalization', opset: 21, inputs: [picture, f32(channels), f32(channels)], attributes };
      }
      case 'Instance':
        return { type: 'InstanceNormalization', inputs: [picture, f32(channels), f32(channels)] };
      case 'Batch':
        return { type: 'BatchNormalization', inputs: batch(given, channels) };
      default:
        return {
          type: 'BatchNormalization',
          inputs: batch(given, channels),
          attributes: { training_mode: int(1) },
          outputs: [true, true, true],
        };
    }
  });
property(test, 'any normalization', 'chnw', any, 150);

test.run();
