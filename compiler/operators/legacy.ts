/** Operators of ONNX's first releases that onnxruntime still runs. */

import type { Span } from '../ir/region.ts';
import { table } from './elementwise.ts';
import { axisLetters, byLetters, type Family, floats, fromFront, type Rule, whole, wholeAt } from './rule.ts';

/** A border is cut off rows and columns. */
const crop: Rule = (node) =>
  byLetters(node, {
    inputs: ['ncyx'],
    outputs: ['nchw'],
    whole: Object.fromEntries(
      [...'yxhw'].map((letter) => [letter, 'the border is counted from the whole picture’s edge']),
    ),
  });

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

/** The sliced dimensions are read whole: where they are sliced is computed. */
const dynamicSlice: Rule = (node) => {
  const { shape } = node.inputs[0]!;
  const letters = axisLetters(shape.length);
  const named = node.inputs[3] ? node.inputs[3].constant : [...Array(node.inputs[1]!.shape[0]!).keys()];
  if (!named) return whole('its axes are computed');
  const axes = named.map((axis) => fromFront(axis, shape.length));
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: wholeAt(letters, axes, 'where it is sliced is computed'),
    windows: Object.fromEntries(axes.map((axis) => [letters[axis]!, (): Span => [0, shape[axis]!]])),
  });
};

export const legacyFamily: Family = {
  ...table('Affine ParametricSoftplus Scale ScaledTanh'),
  Crop: crop,
  DynamicSlice: dynamicSlice,
  ImageScaler: imageScaler,
};
