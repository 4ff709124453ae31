/** Rotary position embeddings: pairs within a head are turned by their position. */
import type { Attributes } from '../ir/program.ts';
import { length } from '../ir/region.ts';
import { byLetters, type Family, int, type Node, type Rule, wholeAt } from './rule.ts';

const PAIRS = 'a head’s elements are turned in pairs';

/** Letters of the data: [b,h,s,d] or [b,s,h*d], where heads are cut at multiples of their size. */
function layout(node: Node, headSize: number) {
  const flat = node.inputs[0]!.shape.length === 3;
  return { flat, x: flat ? 'bsh' : 'bhsd', steps: { h: flat ? headSize : 1 } };
}

/** 3-D data says its heads in `num_heads`. */
const headsOfTile = (node: Node, size: number, headSize: number): Attributes =>
  int(node, 'num_heads') ? { num_heads: { kind: 'int', value: size / headSize } } : {};

/** X, cos and sin caches, positions [b,s]. Without positions the caches are [b,s,r]. */
const rotary: Rule = (node) => {
  const [x, cos, , positions] = node.inputs;
  const flat = x!.shape.length === 3;
  const headSize = flat ? x!.shape[2]! / int(node, 'num_heads')! : x!.shape[3]!;
  const { x: data, steps } = layout(node, headSize);
  const cache = positions ? 'mr' : 'bsr';
  return byLetters(node, {
    inputs: [data, cache, cache, ...(positions ? ['bs'] : [])],
    outputs: [data],
    few: 'mr',
    whole: { ...wholeAt(positions ? 'mrd' : 'rd', cos ? [0, 1, 2].slice(0, positions ? 3 : 2) : [], PAIRS) },
    steps,
    adjust: (tile, spans) => (flat ? { ...tile, attributes: headsOfTile(node, length(spans.h!), headSize) } : tile),
  });
};

/** Positions [b,s], one offset [1] that positions are counted from, or (MRotaryEmbedding) three streams [3,b,s]. */
const rotaryOfMicrosoft: Rule = (node) => {
  const [x, positions, cos] = node.inputs;
  const flat = x!.shape.length === 3;
  const partial = int(node, 'rotary_embedding_dim') ?? 0;
  const heads = int(node, 'num_heads') ?? 0;
  const guessed = heads > 0 && flat ? x!.shape[2]! / heads : cos!.shape[1]! * 2;
  const { x: data, steps } = layout(node, partial > 0 && heads === 0 ? x!.shape[2]! : guessed);
  const rank = positions!.shape.length;
  return byLetters(node, {
    inputs: [data, rank === 1 ? '*' : 'pbs'.slice(3 - rank), 'mr', 'mr'],
    outputs: [data],
    few: 'mrp',
    whole: {
      ...wholeAt('mrd', [0, 1, 2], PAIRS),
      p: 'every token has one position in each stream',
      ...(rank === 1 ? { s: 'positions are counted from its beginning' } : {}),
    },
    steps,
    adjust: (tile, spans) => {
      const changed = flat && heads > 0;
      return changed ? { ...tile, attributes: headsOfTile(node, length(spans.h!), x!.shape[2]! / heads) } : tile;
    },
  });
};

export const rotaryFamily: Family = { RotaryEmbedding: rotary };
export const rotaryOfMicrosoftFamily: Family = {
  MRotaryEmbedding: rotaryOfMicrosoft,
  RotaryEmbedding: rotaryOfMicrosoft,
};
