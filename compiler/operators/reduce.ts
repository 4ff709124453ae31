/** Reductions: the dimensions that stay are free, those that go are reduced where parts can be combined. */
import type { Combine } from '../ir/program.ts';
import { length } from '../ir/region.ts';
import {
  atRunTime,
  axisLetters,
  byLetters,
  type Family,
  freshLetters,
  fromFront,
  int,
  ints,
  type Node,
  type Rule,
  wholeAt,
} from './rule.ts';

/** dtypes that onnxruntime adds, multiplies or compares. */
const COMBINABLE = {
  sum: ['float32', 'float64', 'float16', 'int32', 'int64'],
  prod: ['float32', 'float64', 'float16', 'int32', 'int64'],
  max: ['float32', 'float64', 'float16', 'int32', 'int64', 'uint32', 'uint64'],
  min: ['float32', 'float64', 'float16', 'int32', 'int64', 'uint32', 'uint64'],
} as const;

/** What becomes of an input dimension: its place in the output, null if it is reduced, undefined if either may be. */
type Fate = number | null | undefined;

/** Where the axes come from: ReduceSum took them as input from opset 13, the others from 18. undefined: fed. */
function axesOf(node: Node): readonly number[] | undefined {
  const rank = node.inputs[0]!.shape.length;
  const input = node.inputs[1];
  const axes = input ? input.constant : (ints(node, 'axes') ?? []);
  if (!axes) return undefined;
  if (axes.length > 0) return axes.map((axis) => fromFront(axis, rank));
  return int(node, 'noop_with_empty_axes') === 1 ? [] : [...Array(rank).keys()];
}

/** All ways to choose `count` of the dimensions from `from` on. */
function choices(rank: number, count: number, from = 0): number[][] {
  if (count === 0) return [[]];
  return Array.from({ length: Math.max(0, rank - from) }, (_, i) => from + i).flatMap((first) =>
    choices(rank, count - 1, first + 1).map((rest) => [first, ...rest]),
  );
}

/**
 * Axes that are fed show in the shapes: a dimension that keeps its size stays, one that becomes 1 is reduced. Where dimensions
 * go, several ways to keep some may give the same output.
 */
function fatesOf(node: Node, keep: boolean): Fate[] {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const axes = axesOf(node);
  if (keep) return input.map((size, i): Fate => ((axes ? axes.includes(i) : size !== output[i]) ? null : i));
  const ways = axes
    ? [[...input.keys()].filter((i) => !axes.includes(i))]
    : choices(input.length, output.length).filter((kept) => kept.every((i, place) => input[i] === output[place]));
  return input.map((_, i): Fate => {
    const places = new Set(ways.map((kept) => kept.indexOf(i)));
    const [place] = places;
    return places.size > 1 ? undefined : place === undefined || place < 0 ? null : place;
  });
}

/** Why parts of a reduction cannot be put together again. */
function inseparable(node: Node, combine: Combine | null, isMean: boolean): string | undefined {
  const { dtype } = node.inputs[0]!.tensor;
  if (!combine) return 'parts of it cannot be combined';
  if (!COMBINABLE[combine].some((one) => one === dtype) || (isMean && !dtype?.startsWith('float')))
    return `parts of dtype ${dtype} cannot be combined`;
  return isMean && node.opset < 7 ? 'onnxruntime cannot weigh parts before opset 7' : undefined;
}

const reduce =
  (combine: Combine | null, isMean = false): Rule =>
  (node) => {
    const { shape } = node.inputs[0]!;
    const keep = (int(node, 'keepdims') ?? 1) === 1;
    const fates = fatesOf(node, keep);
    const letters = axisLetters(shape.length);
    const unnamed = freshLetters(node.outputs[0]!.shape.length, letters);
    const output = keep
      ? [...letters].map((letter, i) => (fates[i] === null ? '1' : letter))
      : [...unnamed].map((letter, place) => letters[fates.indexOf(place)] ?? letter);
    const reduced = [...fates.keys()].filter((i) => fates[i] === null);
    const open = [...fates.keys()].filter((i) => fates[i] === undefined);
    const unknown = atRunTime('which of these dimensions are reduced');
    const reason = inseparable(node, combine, isMean);
    return byLetters(node, {
      inputs: [letters, ...(node.inputs[1] ? ['*'] : [])],
      outputs: [output.join('')],
      whole: {
        ...wholeAt(letters, open, unknown),
        ...wholeAt(unnamed, [...unnamed].keys(), unknown),
        ...(reason ? wholeAt(letters, reduced, reason) : {}),
      },
      ...(reason
        ? {}
        : { kinds: Object.fromEntries(reduced.map((i) => [letters[i]!, 'reduce'])), combine: combine ?? 'sum' }),
      adjust: (tile, spans) => {
        const share = reduced.reduce((all, i) => (all * length(spans[letters[i]!]!)) / shape[i]!, 1);
        return isMean && share !== 1 ? { ...tile, scale: share } : tile;
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
