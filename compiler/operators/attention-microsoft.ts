/** The attentions of com.microsoft: free by batch, and by head where no operand packs Q, K and V one after another. */
import type { Span } from '../ir/region.ts';
import { headAttributes, headMap, REASONS } from './attention.ts';
import { byLetters, type Family, int, type Node, type Operand, type Rule, whole, wholeAt } from './rule.ts';

const PACKED = 'Q, K and V lie one after another: a head is no contiguous part';
const ones = (operand: Operand | null | undefined, dimension: number) => operand?.shape[dimension] === 1;

/** Letters for the inputs and outputs that are there. */
const present = (operands: readonly (Operand | null)[], letters: readonly string[]) =>
  operands.map((operand, i) => (operand ? letters[i]! : null));

/** A mask over keys: per batch element [b], [b,m], [b,q,m], or counted over the batch in one vector. */
function maskLetters(mask: Operand | null | undefined, batch: number): { text: string; spansBatch: boolean } {
  const shape = mask?.shape ?? [];
  if (shape.length === 1) return { text: shape[0] === batch ? 'b' : 'c', spansBatch: shape[0] !== batch };
  return { text: ['', '', 'bm', 'bqm', 'b1qm'][shape.length]!, spansBatch: false };
}

const KEYS = wholeAt('kmpt', [0, 1, 2, 3], REASONS.keys);
const COUNTED = 'its mask counts over the batch';

/** A letter's span, or all of a dimension of size 1 under it. */
const unlessOne =
  (node: Node, dimensions: Readonly<Record<number, number>>) =>
  (span: Span, i: number): Span =>
    dimensions[i] !== undefined && ones(node.inputs[i], dimensions[i]) ? [0, 1] : span;

/**
 * MultiHeadAttention and DecoderMaskedMultiHeadAttention.
 * Query [b,q,h*d]; key, value [b,k,h*d] or cached [b,h,k,d]; bias: all of Q, K, V; key mask;
 * addend to the scores [b|1,h|1,q,t]; past and present [b,h,t,d].
 */
const multiHead =
  (roles: { mask: number; addend: number; past: number; bias: number; beams: readonly number[] }): Rule =>
  (node) => {
    const heads = int(node, 'num_heads')!;
    const [query, key] = node.inputs;
    if (!key || [query, key].some((operand) => operand!.shape.length === 5)) return whole(PACKED);
    const output = node.outputs[0]!.shape;
    const mask = maskLetters(node.inputs[roles.mask], output[0]!);
    const size = output[2]! / heads;
    const letters: string[] = [];
    letters[0] = 'bqh';
    for (const i of [1, 2]) letters[i] = node.inputs[i]?.shape.length === 3 ? 'bkh' : 'bhkd';
    letters[roles.bias] = '*';
    letters[roles.mask] = mask.text;
    letters[roles.addend] = 'bhqm';
    letters[roles.past] = 'bhpd';
    letters[roles.past + 1] = 'bhpd';
    for (const [i] of node.inputs.entries()) letters[i] ??= '*';
    const caches = node.outputs[1] || node.outputs[2];
    const fixed = int(node, 'unidirectional') === 1 ? REASONS.causal : caches ? REASONS.caches : undefined;
    const units: Record<number, number> = { [roles.addend]: 1, [roles.past]: 1, [roles.past + 1]: 1 };
    for (const i of [0, 1, 2]) {
      const shape = node.inputs[i]?.shape;
      if (shape) units[i] = shape.length === 3 ? shape[2]! / heads : 1;
    }
    const byHead = headMap(size, units);
    return byLetters(node, {
      inputs: present(node.inputs, letters),
      outputs: present(node.outputs, ['bqh', 'bhtd', 'bhtd', 'bhqt']),
      whole: {
        ...KEYS,
        d: REASONS.head,
        c: COUNTED,
        ...(mask.spansBatch ? { b: COUNTED } : {}),
        ...(roles.beams.some((i) => node.inputs[i]) ? { b: 'beams refer to each other' } : {}),
        ...(node.inputs[roles.bias] ? { h: PACKED } : {}),
        ...(fixed ? { q: fixed } : {}),
      },
      few: 'mpdc',
      steps: { h: size },
      windows: {
        b: unlessOne(node, { [roles.addend]: 0 }),
        h: (span, i) => (i === roles.addend && ones(node.inputs[i], 1) ? [0, 1] : byHead(span, i)),
      },
      makes: { h: ([begin, end], i): Span => (i === 0 ? [begin, end] : [begin / size, end / size]) },
      adjust: (tile, spans) => ({ ...tile, attributes: headAttributes(node, { num_heads: 1 }, spans.h!, size) }),
    });
  };

/** Attention and QAttention project the input by one merged matrix: only the batch is free. */
const projected =
  (roles: { mask: number; past: number; addend?: number }): Rule =>
  (node) => {
    const mask = maskLetters(node.inputs[roles.mask], node.outputs[0]!.shape[0]!);
    const letters = node.inputs.map((_, i): string => (i === 0 ? 'bsi' : '*'));
    letters[roles.mask] = mask.text.replace('q', 's');
    letters[roles.past] = 'obhpd';
    if (roles.addend !== undefined) letters[roles.addend] = 'bhsm';
    return byLetters(node, {
      inputs: present(node.inputs, letters),
      outputs: present(node.outputs, ['bse', 'obhtd']),
      whole: {
        ...KEYS,
        s: 'its queries and keys are one tensor',
        i: REASONS.hidden,
        e: PACKED,
        h: PACKED,
        d: REASONS.head,
        o: 'the caches of keys and values',
        c: COUNTED,
        ...(mask.spansBatch ? { b: COUNTED } : {}),
      },
      few: 'ohmpdc',
      windows: { b: unlessOne(node, roles.addend === undefined ? {} : { [roles.addend]: 0 }) },
    });
  };

/**
 * Query [b,s,h*d], key and value [b,s,g*d] with g key heads; caches [b,g,t,d]; lengths [b]; rotary caches; positions [b,s];
 * addend to the scores [b|1,h|1,s,t]; one sink a head [h]; scales of a quantized cache.
 */
const groupQuery: Rule = (node) => {
  const [heads, keyHeads] = [int(node, 'num_heads')!, int(node, 'kv_num_heads')!];
  const perKey = heads / keyHeads;
  const perGroup = node.outputs[0]!.shape[2]! / keyHeads;
  const keyUnit = (node.inputs[1]?.shape[2] ?? 0) / keyHeads;
  const packed = !node.inputs[1];
  const scales = [12, 13].some((i) => node.inputs[i] && !node.inputs[i]!.shape.every((size) => size === 1));
  const byHead = headMap(perGroup, { 1: keyUnit, 2: keyUnit, 3: 1, 4: 1, 10: perKey, 11: perKey });
  const letters = ['bsh', 'bkh', 'bkh', 'bhpd', 'bhpd', 'b', '*', '*', '*', 'bs', 'bhsm', 'h', '*', '*', '*', '*'];
  if (packed) letters[0] = 'bso';
  // Of the first prompt only the first position is used.
  if (ones(node.inputs[9], 0)) letters[9] = '1s';
  return byLetters(node, {
    inputs: present(node.inputs, letters),
    outputs: present(node.outputs, ['bsh', 'bhtd', 'bhtd', 'bhst']),
    whole: {
      ...KEYS,
      s: REASONS.causal,
      d: REASONS.head,
      o: PACKED,
      ...(packed ? { h: PACKED } : scales ? { h: 'one scale an element of all key heads' } : {}),
    },
    few: 'mpo',
    steps: { h: perGroup },
    windows: {
      b: unlessOne(node, { 10: 0 }),
      h: (span, i) => (i === 10 && ones(node.inputs[10], 1) ? [0, 1] : byHead(span, i)),
    },
    makes: {
      h: ([begin, end], i): Span => {
        if (i === 0) return [begin, end];
        const unit = i === 3 ? perKey : 1;
        return [(begin / perGroup) * unit, (end / perGroup) * unit];
      },
    },
    adjust: (tile, spans) => ({
      ...tile,
      attributes: headAttributes(node, { num_heads: perKey, kv_num_heads: 1 }, spans.h!, perGroup),
    }),
  });
};

/**
 * Query [b,s,h*k], key [b,s,g*k], value [b,s,g*v], state [b,g,k,v], decay [b,s,g*k] or [b,s,g], rate [b,s,g] or [b,s,1].
 * Where there are as many query heads as key heads a head is free; `state_window` puts another dimension before the batch.
 */
const linearAttention: Rule = (node) => {
  const [heads, keyHeads] = [int(node, 'q_num_heads')!, int(node, 'kv_num_heads')!];
  const window = (int(node, 'state_window') ?? 0) > 0;
  const size = node.outputs[0]!.shape[2]! / heads;
  const units = Object.fromEntries(
    [0, 1, 2, 4, 5].flatMap((i) => (node.inputs[i] ? [[i, node.inputs[i]!.shape[2]! / heads]] : [])),
  );
  const byHead = headMap(size, { ...units, 3: 1 });
  const grouped = heads !== keyHeads;
  const [head, packed] = grouped ? ['g', 'bsi'] : ['h', 'bsh'];
  const state = `${window ? 'w' : ''}b${head}dv`;
  const rate = ones(node.inputs[5], 2) && heads > 1 ? 'bs1' : packed;
  return byLetters(node, {
    inputs: present(node.inputs, [packed, packed, packed, state, packed, rate]),
    outputs: present(node.outputs, ['bsh', state]),
    whole: {
      s: 'each step needs the state before it',
      d: REASONS.head,
      v: REASONS.head,
      w: 'the states after the last tokens',
      ...(grouped ? wholeAt('hgi', [0, 1, 2], 'queries and keys have different numbers of heads') : {}),
    },
    few: 'wgiv',
    steps: { h: size },
    windows: { h: byHead },
    makes: { h: ([begin, end], i): Span => (i === 0 ? [begin, end] : [begin / size, end / size]) },
    adjust: (tile, spans) =>
      grouped
        ? tile
        : { ...tile, attributes: headAttributes(node, { q_num_heads: 1, kv_num_heads: 1 }, spans.h!, size) },
  });
};

export const attentionOfMicrosoftFamily: Family = {
  Attention: projected({ mask: 3, past: 4, addend: 5 }),
  DecoderMaskedMultiHeadAttention: multiHead({ mask: 3, addend: 4, past: 5, bias: 10, beams: [8, 9] }),
  GroupQueryAttention: groupQuery,
  LinearAttention: linearAttention,
  MultiHeadAttention: multiHead({ bias: 3, mask: 4, addend: 5, past: 6, beams: [9] }),
  QAttention: projected({ mask: 5, past: 8 }),
};
