/** Attention over given queries, keys and values: free by batch, by head (a key's head at a time) and by query position. */
import type { Attributes } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import { byLetters, type Family, int, type Node, type Rule, type WindowMap, wholeAt } from './rule.ts';

/** Why dimensions of an attention are never cut. */
export const REASONS = {
  causal: 'causal: what a query sees follows from its place among all queries',
  caches: 'the key and value caches would be made several times',
  keys: 'each query is weighed against all keys',
  head: 'a score needs the whole head',
  value: 'every part would compute all scores again',
  hidden: 'an attention needs all features of a token',
} as const;

/**
 * Heads under one letter, which counts in the first output's units: `perGroup` of them are one key head.
 * @param units elements a key head, by operand
 */
export const headMap =
  (perGroup: number, units: Readonly<Record<number, number>>): WindowMap =>
  ([begin, end], operand): Span => {
    const unit = units[operand] ?? perGroup;
    return [(begin / perGroup) * unit, (end / perGroup) * unit];
  };

/** The head counts of a tile, as the attributes that say them. */
export function headAttributes(
  node: Node,
  names: Readonly<Record<string, number>>,
  heads: Span,
  perGroup: number,
): Attributes {
  const groups = length(heads) / perGroup;
  return Object.fromEntries(
    Object.entries(names)
      .filter(([name]) => node.attributes[name])
      .map(([name, perKeyHead]) => [name, { kind: 'int', value: groups * perKeyHead }]),
  );
}

/** How Q, K, V and Y are laid out. 3-D: [b, q, heads * size]; 4-D: [b, heads, q, size]. */
interface Heads {
  readonly query: number;
  readonly key: number;
}

function headsOf(node: Node): Heads {
  const flat = node.inputs[0]!.shape.length === 3;
  return flat
    ? { query: int(node, 'q_num_heads')!, key: int(node, 'kv_num_heads')! }
    : { query: node.inputs[0]!.shape[1]!, key: node.inputs[1]!.shape[1]! };
}

/** Elements a key head, by input and by output, where the head dimension has another unit than the first output's. */
function unitsOf(node: Node, heads: Heads): { inputs: Record<number, number>; outputs: Record<number, number> } {
  const flat = node.inputs[0]!.shape.length === 3;
  const share = (i: number) => (flat ? node.inputs[i]!.shape[2]! / heads.key : i === 0 ? heads.query / heads.key : 1);
  const mask = node.inputs[3]?.shape;
  // Broadcast: the one head stays, whatever the tile.
  const maskHeads = mask && mask.length > 2 && mask.at(-3) !== 1 ? heads.query / heads.key : 0;
  return {
    inputs: { 0: share(0), 1: share(1), 2: share(2), 3: maskHeads, 4: 1, 5: 1 },
    outputs: { 1: 1, 2: 1, 3: heads.query / heads.key },
  };
}

/** Scores of every query and key, past ones included, then the sum of the values. */
function operationsOf(node: Node, heads: Heads): number {
  const [query, key, value, , past] = node.inputs.map((input) => input?.shape ?? []);
  const flat = query!.length === 3;
  const elements = query!.reduce((all, size) => all * size, 1);
  const keys = key!.at(-2)! + (past?.at(-2) ?? 0);
  const [ofKey, ofValue] = flat
    ? [key!.at(-1)! / heads.key, value!.at(-1)! / heads.key]
    : [key!.at(-1)!, value!.at(-1)!];
  return elements * keys * (1 + ofValue / ofKey);
}

/**
 * Q: [b,h,q,d], K: [b,h,k,d], V: [b,h,k,v], mask: [q,m], [h,q,m] or [b,h,q,m], past key and value: [b,h,p,d], [b,h,p,v],
 * lengths of unpadded keys: [b]. Y: [b,h,q,v], present key and value: [b,h,t,d], [b,h,t,v], scores: [b,h,q,t].
 */
const attention: Rule = (node) => {
  const flat = node.inputs[0]!.shape.length === 3;
  const heads = headsOf(node);
  const units = unitsOf(node, heads);
  const perGroup = flat ? node.outputs[0]!.shape[2]! / heads.key : heads.query / heads.key;
  const mask = node.inputs[3]?.shape.length;
  const inputs = flat ? ['bqh', 'bkh', 'bkh'] : ['bhqd', 'bhkd', 'bhkv'];
  inputs.push(mask ? 'bhqm'.slice(4 - mask) : '', 'bhpd', 'bhpv', 'b');
  const outputs = [flat ? 'bqh' : 'bhqv', 'bhtd', 'bhtv', 'bhqt'];
  const caches = node.outputs[1] || node.outputs[2];
  const fixed = int(node, 'is_causal') === 1 ? REASONS.causal : caches ? REASONS.caches : undefined;
  const inputHeads = headMap(perGroup, units.inputs);
  const outputHeads = headMap(perGroup, units.outputs);
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: node.outputs.map((output, i) => (output ? outputs[i]! : null)),
    whole: {
      ...wholeAt('kmpt', [0, 1, 2, 3], REASONS.keys),
      d: REASONS.head,
      v: REASONS.value,
      ...(fixed ? { q: fixed } : {}),
    },
    steps: { h: perGroup },
    operations: operationsOf(node, heads),
    windows: { h: (span, i) => (units.inputs[i] === 0 ? [0, 1] : inputHeads(span, i)) },
    makes: { h: (span, i) => (i === 0 ? span : outputHeads(span, i)) },
    adjust: (tile, spans) => ({
      ...tile,
      attributes: headAttributes(node, { q_num_heads: heads.query / heads.key, kv_num_heads: 1 }, spans.h!, perGroup),
    }),
  });
};

export const attentionFamily: Family = { Attention: attention };
