/** Random small models: layers of many kinds over a few pictures and rows, some read twice, some wanted in between. */
import { Builder, known, type Model, type Tensor } from '../../../fixtures/zoo/builder.ts';
import * as layers from '../../../fixtures/zoo/layers.ts';
import { Dice } from './dice.ts';

const sizes = ({ shape }: Tensor): number[] => shape.map(known);
const like = ({ dtype }: Tensor, shape: readonly number[]) => ({ dtype, shape });

/** What makes another tensor of one; null: not of this one. `pool` are all tensors there are. */
type Layer = (g: Builder, x: Tensor, dice: Dice, pool: readonly Tensor[]) => Tensor | null;

const isPicture = ({ shape }: Tensor): boolean => shape.length === 4;
const ofPictures =
  (layer: Layer): Layer =>
  (g, x, dice, pool) =>
    isPicture(x) ? layer(g, x, dice, pool) : null;

const convolution: Layer = (g, x, dice) => {
  const [, c, h, w] = sizes(x) as [number, number, number, number];
  const [kernel, stride, dilation] = [dice.between(1, 4), dice.between(1, 3), dice.between(1, 2)];
  const reach = (kernel - 1) * dilation + 1;
  const pad = dice.below(reach);
  if (Math.min(h, w) + 2 * pad < reach) return null;
  const groups = dice.pick([1, 1, c, 2].filter((count) => c % count === 0));
  return layers.conv(g, x, g.fresh('conv'), groups * dice.between(1, 3), kernel, {
    stride,
    pad,
    dilation,
    groups,
    gain: 1,
  });
};

const pooling: Layer = (g, x, dice) => {
  const [h, w] = sizes(x).slice(2) as [number, number];
  const [kernel, stride] = [dice.between(1, 3), dice.between(1, 3)];
  const ceil = kernel >= stride && dice.pick([false, true]);
  if (Math.min(h, w) < kernel) return null;
  const pool = dice.pick([layers.maxPool, layers.averagePool]);
  return pool(g, x, kernel, { stride, pad: dice.below(kernel >> 1), ceil, name: g.fresh('pool') });
};

const slice: Layer = (g, x, dice) => {
  const shape = sizes(x);
  const axis = dice.below(shape.length);
  const size = shape[axis]!;
  const [begin, end] = [dice.below(size), dice.below(size)].sort((a, b) => a - b) as [number, number];
  const step = dice.pick([1, 1, 2, -1]);
  const bounds = step > 0 ? [begin, end + 1] : [end, begin > 0 ? begin - 1 : -size - 1];
  const name = g.fresh('slice');
  const inputs = [x, ...[...bounds, axis, step].map((value, i) => g.list(`${name}.${i}`, [value]))];
  const length = Math.ceil((end + 1 - begin) / Math.abs(step));
  return g.node('Slice', inputs, like(x, shape.with(axis, length)), { name });
};

const pad: Layer = (g, x, dice) => {
  const shape = sizes(x);
  const axis = dice.below(shape.length);
  const [before, after] = [dice.below(3), dice.below(3)];
  const name = g.fresh('pad');
  const pads = [...shape.map((_, i) => (i === axis ? before : 0)), ...shape.map((_, i) => (i === axis ? after : 0))];
  const mode = shape[axis]! > 2 ? dice.pick(['constant', 'edge', 'reflect']) : 'constant';
  const output = like(x, shape.with(axis, shape[axis]! + before + after));
  return g.node('Pad', [x, g.list(`${name}.pads`, pads)], output, { name, attributes: { mode } });
};

/** With another tensor that has the same sizes but along one axis. */
const concat: Layer = (g, x, dice, pool) => {
  const axis = dice.below(x.shape.length);
  const fits = pool.filter(
    ({ shape }) => shape.length === x.shape.length && shape.every((n, i) => i === axis || n === x.shape[i]),
  );
  const others = Array.from({ length: dice.between(1, 2) }, () => dice.pick(fits));
  return layers.concat(
    g,
    dice.pick([
      [x, ...others],
      [...others, x],
    ]),
    axis,
    g.fresh('concat'),
  );
};

const arithmetic: Layer = (g, x, dice, pool) => {
  const fits = pool.filter(
    ({ shape }) => shape.length === x.shape.length && shape.every((n, i) => n === 1 || n === x.shape[i]),
  );
  return layers.binary(g, dice.pick(['Add', 'Sub']), x, dice.pick(fits), g.fresh('sum'));
};

const split: Layer = (g, x, dice) => {
  const axis = dice.below(x.shape.length);
  const size = sizes(x)[axis]!;
  if (size < 2) return null;
  const first = dice.between(1, size - 1);
  return dice.pick(layers.split(g, x, [first, size - first], axis, g.fresh('split')));
};

const gather: Layer = (g, x, dice) => {
  const axis = dice.below(x.shape.length);
  const indices = Array.from({ length: dice.between(2, 5) }, () => dice.below(sizes(x)[axis]!));
  const name = g.fresh('gather');
  return layers.gather(g, x, g.list(`${name}.indices`, indices), { axis, name });
};

const transpose: Layer = (g, x, dice) => {
  const rank = x.shape.length;
  const [a, b] = [dice.below(rank), dice.below(rank)];
  const order = Array.from({ length: rank }, (_, i) => (i === a ? b : i === b ? a : i));
  return layers.transpose(g, x, order, g.fresh('transpose'));
};

/** Neighbouring dimensions become one, or one becomes two. */
const reshape: Layer = (g, x, dice) => {
  const shape = sizes(x);
  const axis = dice.below(shape.length);
  const size = shape[axis]!;
  if (shape.length < 4 && size % 2 === 0)
    return layers.reshape(g, x, shape.toSpliced(axis, 1, 2, size / 2), g.fresh('reshape'));
  if (axis === 0 || shape.length < 3) return null;
  return layers.reshape(g, x, shape.toSpliced(axis - 1, 2, shape[axis - 1]! * size), g.fresh('reshape'));
};

const reduce: Layer = (g, x, dice) => {
  const shape = sizes(x);
  const axis = dice.below(shape.length);
  const keepdims = dice.below(2);
  const output = like(x, keepdims ? shape.with(axis, 1) : shape.toSpliced(axis, 1));
  return g.node('ReduceMean', [x], output, { name: g.fresh('mean'), attributes: { axes: [axis], keepdims } });
};

/** A product with itself, turned: every element needs two rows of the same tensor. */
const attention: Layer = (g, x) => {
  const rank = x.shape.length;
  if (rank < 2) return null;
  const order = Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  const scores = layers.matMul(g, x, layers.transpose(g, x, order, g.fresh('keys')), g.fresh('scores'));
  return layers.matMul(g, layers.softmax(g, scores, rank - 1, g.fresh('softmax')), x, g.fresh('mixed'));
};

const gate: Layer = (g, x, dice) => {
  const mean = layers.globalAveragePool(g, x);
  const narrow = layers.conv(g, mean, g.fresh('narrow'), known(x.shape[1]), 1, { gain: 1 });
  const factor = layers.unary(g, 'HardSigmoid', narrow, g.fresh('gate'));
  return dice.pick([factor, layers.binary(g, 'Mul', x, factor, g.fresh('gated'))]);
};

const elementwise: Layer = (g, x, dice) =>
  layers.unary(g, dice.pick(['Relu', 'Sigmoid', 'HardSwish']), x, g.fresh('unary'));

const KINDS: readonly Layer[] = [
  ...Array.from({ length: 10 }, () => ofPictures(convolution)),
  ...[pooling, pooling, gate].map(ofPictures),
  ofPictures((g, x, dice) => layers.resize(g, x, 2, dice.pick(['nearest', 'linear']), g.fresh('resize'))),
  ofPictures((g, x, dice) => layers.upConv(g, x, g.fresh('up'), dice.between(1, 4), 2)),
  ofPictures((g, x) => layers.batchNorm(g, x, g.fresh('norm'))),
  (g, x, dice) => (x.shape.length > 1 ? layers.linear(g, x, g.fresh('linear'), dice.between(1, 12)) : null),
  (g, x, dice) => layers.softmax(g, x, dice.below(x.shape.length), g.fresh('softmax')),
  (g, x) => layers.layerNorm(g, x, g.fresh('norm')),
  ...[
    elementwise,
    elementwise,
    arithmetic,
    arithmetic,
    concat,
    slice,
    pad,
    split,
    gather,
    transpose,
    reshape,
    reduce,
    attention,
  ],
];

/** Elements of the largest tensor. */
const MOST = 20_000;

/** A model of so many layers, most of which read the one before. */
export function randomModel(seed: number, count: number): Model {
  const dice = new Dice(seed);
  const g = new Builder(`random-${seed}`, { seed });
  const shape = dice.pick([
    [1, dice.between(1, 6), dice.between(5, 23), dice.between(5, 23)],
    [dice.between(1, 3), dice.between(4, 20), dice.between(4, 20)],
  ]);
  const pool = [g.input('x', shape)];
  for (let made = 0; made < count; ) {
    const x = dice.below(4) > 0 ? pool.at(-1)! : dice.pick(pool);
    const most = sizes(x).reduce((a, b) => a * b, 1);
    const y = x.shape.length > 0 && most < MOST ? dice.pick(KINDS)(g, x, dice, pool) : null;
    if (!y) continue;
    pool.push(y);
    made++;
  }
  const last = pool.at(-1)!;
  g.output(last, 'y');
  for (const tensor of pool.slice(1, -1)) if (dice.below(count) === 0) g.output(tensor);
  return g.finish();
}
