/** Operators of ONNX's first releases that onnxruntime still runs. */
import { table } from './elementwise.ts';
import { byLetters, type Family, floats, type Rule } from './rule.ts';

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

export const legacyFamily: Family = {
  ...table('Affine ParametricSoftplus Scale ScaledTanh'),
  Crop: crop,
  ImageScaler: imageScaler,
};
