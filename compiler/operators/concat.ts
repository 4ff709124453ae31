/** Joining and parting tensors along one dimension. */
import { isEmpty, type Span } from '../ir/region.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  freshLetters,
  fromFront,
  int,
  type Rule,
  type WindowMap,
} from './rule.ts';

/** What a span of tensors joined one after another is of each of them; empty where it does not reach it. */
export function joinedAt(sizes: readonly number[]): WindowMap {
  const begins = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
  return ([begin, end], i): Span => [Math.max(0, begin - begins[i]!), Math.min(sizes[i]!, end - begins[i]!)];
}

/** Every dimension is free; along the joined one a tile reads only the inputs it overlaps. */
const concat: Rule = (node) => {
  const rank = node.outputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? 1, rank);
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: node.inputs.map(() => letters),
    outputs: [letters],
    windows: { [letters[axis]!]: joinedAt(node.inputs.map((input) => input!.shape[axis]!)) },
    adjust: (tile) => ({
      inputs: tile.inputs.map((region) => (region && isEmpty(region) ? null : region)),
    }),
  });
};

/** The split dimension is whole; each output has its own letter there. */
const split: Rule = (node) => {
  const [x, ...sizes] = node.inputs;
  const rank = x!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? 0, rank);
  const letters = axisLetters(rank);
  const own = `${letters[axis]}${freshLetters(node.outputs.length, letters)}`;
  const along = (i: number) => letters.slice(0, axis) + own[i]! + letters.slice(axis + 1);
  const first = node.outputs.findIndex((output) => output !== null);
  return byLetters(node, {
    inputs: [along(first), ...sizes.map((input) => (input ? '*' : null))],
    outputs: node.outputs.map((output, i) => (output ? along(i) : null)),
    whole: Object.fromEntries(
      [...own].map((letter) => [
        letter,
        'each output takes another part of it: a piece of all would lie in several places',
      ]),
    ),
    windows: { [own[first]!]: () => [0, x!.shape[axis]!] },
  });
};

export const concatFamily: Family = { Concat: concat, Split: split };
