/** Writing elements by index: free along the dimensions that no index names. */
import { length, type Span } from '../ir/region.ts';
import { INDEXED } from './gather.ts';
import { axisLetters, byLetters, type Family, freshLetters, fromFront, int, type Rule, wholeAt } from './rule.ts';

/**
 * Along other dimensions than the axis; where the indices cover only the beginning, a tile behind it reads on from the last
 * element that they cover, and drops what it made too much.
 */
const scatterElements: Rule = (node) => {
  const [data, indices] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const axis = fromFront(int(node, 'axis') ?? 0, data.length);
  const letters = axisLetters(data.length);
  const along = freshLetters(1, letters);
  const own = letters.slice(0, axis) + along + letters.slice(axis + 1);
  const shorter = [...data.keys()].filter((i) => i !== axis && data[i] !== indices[i]);
  const begin = (i: number, span: Span) => Math.min(span[0], indices[i]! - 1);
  return byLetters(node, {
    inputs: [letters, own, own],
    outputs: [letters],
    whole: { ...wholeAt(along, [0], INDEXED), ...wholeAt(letters, [axis], INDEXED) },
    few: along,
    kinds: Object.fromEntries(shorter.map((i) => [letters[i]!, 'window' as const])),
    windows: Object.fromEntries(
      shorter.map((i) => [
        letters[i]!,
        (span: Span, input: number): Span => [begin(i, span), input === 0 ? span[1] : Math.min(span[1], indices[i]!)],
      ]),
    ),
    adjust: (tile, spans) => {
      const skipped = [...letters].map((letter, i) =>
        shorter.includes(i) ? spans[letter]![0] - begin(i, spans[letter]!) : 0,
      );
      if (skipped.every((count) => count === 0)) return tile;
      const crop = skipped.map((count, i): Span => [count, count + length(spans[letters[i]!]!)]);
      return { ...tile, crop };
    },
  });
};

/** `indices: [lead.., k]` name the first k dimensions of the data; `updates: [lead.., rest..]`. */
const scatterND: Rule = (node) => {
  const [data, indices] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const depth = indices.at(-1)!;
  const letters = axisLetters(data.length);
  const lead = freshLetters(indices.length, letters);
  return byLetters(node, {
    inputs: [letters, lead, lead.slice(0, -1) + letters.slice(depth)],
    outputs: [letters],
    whole: {
      ...wholeAt(lead, [...lead].keys(), 'any update may go anywhere'),
      ...wholeAt(letters, Array(depth).keys(), INDEXED),
    },
    few: lead,
  });
};

/** Each batch element's update is written at its own place along the axis. */
const tensorScatter: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? -2, rank);
  const letters = axisLetters(rank);
  const update = letters.slice(0, axis) + freshLetters(1, letters) + letters.slice(axis + 1);
  return byLetters(node, {
    inputs: [letters, update, ...(node.inputs[2] ? [letters[0]!] : [])],
    outputs: [letters],
    whole: { ...wholeAt(letters, [axis], INDEXED), ...wholeAt(update, [axis], 'it is written at any place') },
    few: update[axis]!,
  });
};

export const scatterFamily: Family = {
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
};
