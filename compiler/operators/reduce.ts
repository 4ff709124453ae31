/** Reductions: the dimensions that stay are free, those that go are reduced where parts can be combined. */
import type { Combine } from '../ir/program.ts';
import { length } from '../ir/region.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  fromFront,
  int,
  ints,
  type Node,
  type Rule,
  whole,
  wholeAt,
} from './rule.ts';

/** dtypes that onnxruntime adds, multiplies or compares. */
const COMBINABLE = {
  sum: ['float32', 'float64', 'float16', 'int32', 'int64'],
  prod: ['float32', 'float64', 'float16', 'int32', 'int64'],
  max: ['float32', 'float64', 'float16', 'int32', 'int64', 'uint32', 'uint64'],
  min: ['float32', 'float64', 'float16', 'int32', 'int64', 'uint32', 'uint64'],
} as const;

/** Where the axes come from: ReduceSum took them as input from opset 13, the others from 18. */
function axesOf(node: Node): readonly number[] | undefined {
  const rank = node.inputs[0]!.shape.length;
  const input = node.inputs[1];
  const axes = input ? input.constant : (ints(node, 'axes') ?? []);
  if (!axes) return undefined;
  if (axes.length > 0) return axes.map((axis) => fromFront(axis, rank));
  return int(node, 'noop_with_empty_axes') === 1 ? [] : [...Array(rank).keys()];
}

const reduce =
  (combine: Combine | null, isMean = false): Rule =>
  (node) => {
    const { shape, tensor } = node.inputs[0]!;
    const axes = axesOf(node);
    if (!axes) return whole('its axes are computed');
    const letters = axisLetters(shape.length);
    const keep = int(node, 'keepdims') ?? 1;
    const output = [...letters].map((letter, i) => (axes.includes(i) ? (keep ? '1' : '') : letter)).join('');
    const combinable = COMBINABLE[combine ?? 'sum'].some((dtype) => dtype === tensor.dtype);
    const reason = !combine
      ? 'parts of it cannot be combined'
      : !combinable || (isMean && !tensor.dtype?.startsWith('float'))
        ? `parts of dtype ${tensor.dtype} cannot be combined`
        : isMean && node.opset < 7
          ? 'onnxruntime cannot weigh parts before opset 7'
          : undefined;
    const reduced = axes.map((axis) => letters[axis]!);
    return byLetters(node, {
      inputs: [letters, ...(node.inputs[1] ? ['*'] : [])],
      outputs: [output],
      ...(reason
        ? { whole: wholeAt(letters, axes, reason) }
        : { kinds: Object.fromEntries(reduced.map((letter) => [letter, 'reduce'])), combine: combine ?? 'sum' }),
      adjust: (tile, spans) => {
        const inputs = tile.inputs.map((region, i) => (i === 1 && region?.[0]?.[1] === 0 ? null : region));
        const share = axes.reduce((all, axis) => (all * length(spans[letters[axis]!]!)) / shape[axis]!, 1);
        return isMean && share !== 1 ? { inputs, scale: share } : { inputs };
      },
    });
  };

export const reduceFamily: Family = {
  ReduceSum: reduce('sum'),
  ReduceSumSquare: reduce('sum'),
  ReduceL1: reduce('sum'),
  ReduceMean: reduce('sum', true),
  ReduceMax: reduce('max'),
  ReduceMin: reduce('min'),
  ReduceProd: reduce('prod'),
  ReduceL2: reduce(null),
  ReduceLogSum: reduce(null),
  ReduceLogSumExp: reduce(null),
};
