/** Expand and Tile: elements repeated. The tile's own extents take the place of shape or repeats. */
import { length, type Span } from '../ir/region.ts';
import { axisLetters, byLetters, type Family, int64, type Rule, rightAligned, tileShape } from './rule.ts';

/** Every dimension is free; the input is broadcast. */
const expand: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [rightAligned(letters, node.inputs[0]!.shape.length), '*'],
    outputs: [letters],
    adjust: (tile, spans) => ({ inputs: [tile.inputs[0]!, int64(tileShape(letters, spans))] }),
  });
};

/** What of a repeated dimension a span reads, how often, and what of that is kept. */
interface Repeated {
  readonly read: Span;
  readonly times: number;
  readonly keep: Span;
}

/** Within one repetition a part of the input; across several all of it, and the rest is dropped. */
function repeated(size: number, [begin, end]: Span): Repeated {
  const [first, last] = [Math.floor(begin / size), Math.floor((end - 1) / size)];
  const from = begin - first * size;
  if (first === last) return { read: [from, from + end - begin], times: 1, keep: [0, end - begin] };
  return { read: [0, size], times: last - first + 1, keep: [from, from + end - begin] };
}

/** Every dimension can be cut; where it is repeated parts read the same. */
const tileRule: Rule = (node) => {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(output.length);
  const several = [...output.keys()].filter((i) => output[i] !== input[i]);
  const repetition = (i: number, span: Span): Repeated =>
    several.includes(i) ? repeated(input[i]!, span) : { read: span, times: 1, keep: [0, length(span)] };
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    kinds: Object.fromEntries(several.map((i) => [letters[i]!, 'window' as const])),
    windows: Object.fromEntries([...letters].map((letter, i) => [letter, (span: Span) => repetition(i, span).read])),
    adjust: (tile, spans) => {
      const parts = [...letters].map((letter, i) => repetition(i, spans[letter]!));
      const told = { inputs: [tile.inputs[0]!, int64(parts.map(({ times }) => times))] };
      const kept = parts.every(({ read, times, keep }) => length(keep) === length(read) * times);
      return kept ? told : { ...told, crop: parts.map(({ keep }) => keep) };
    },
  });
};

export const repeatFamily: Family = { Expand: expand, Tile: tileRule };
