/** Operators of ONNX's first releases that onnxruntime still runs. */

import { length, type Span } from '../ir/region.ts';
import { table } from './elementwise.ts';
import { byLetters, type Family, floats, ints, type Rule } from './rule.ts';

/** A border (left, top, right, bottom) is cut off rows and columns, or a size is: a tile reads what is left of it. */
const crop: Rule = (node) => {
  const [left = 0, top = 0] = ints(node, 'border') ?? [];
  const behind =
    (border: number) =>
    ([begin, end]: Span): Span => [border + begin, border + end];
  return byLetters(node, {
    inputs: ['nchw'],
    outputs: ['nchw'],
    windows: { h: behind(top), w: behind(left) },
    adjust: (tile, { h, w }) => ({
      ...tile,
      attributes: {
        border: { kind: 'ints', value: [0, 0, 0, 0] },
        ...(node.attributes.scale ? { scale: { kind: 'ints', value: [length(h!), length(w!)] } } : {}),
      },
    }),
  });
};

/** One factor for all, one addend a channel. */
const imageScaler: Rule = (node) =>
  byLetters(node, {
    inputs: ['nchw'],
    outputs: ['nchw'],
    adjust: (tile, { c }) => ({
      ...tile,
      attributes: { bias: { kind: 'floats', value: (floats(node, 'bias') ?? []).slice(c![0], c![1]) } },
    }),
  });

export const legacyFamily: Family = {
  ...table('Affine ParametricSoftplus Scale ScaledTanh'),
  Crop: crop,
  ImageScaler: imageScaler,
};
