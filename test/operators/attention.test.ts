import fc from 'fast-check';
import { suite } from 'uvu';
import type { Attributes } from '../../compiler/ir/program.ts';
import {
  bools,
  type Case,
  f32,
  float,
  type Input,
  i8,
  index,
  index32,
  int,
  ints,
  scale,
  text,
  u8,
} from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('attention');
const microsoft = 'com.microsoft';
const small = fc.integer({ min: 1, max: 3 });
const some = fc.integer({ min: 1, max: 4 });

const shapes = fc.record({ b: small, groups: small, perGroup: small, q: some, k: some, p: some, d: some, v: some });

const attentions = fc
  .record({
    shape: shapes,
    flat: fc.boolean(),
    mask: fc.constantFrom(null, '11', 'qt', '1qt', 'hqt', 'b1qt', '1hqt', 'bhqt'),
    bool: fc.boolean(),
    causal: fc.boolean(),
    caches: fc.boolean(),
    scores: fc.boolean(),
    softcap: fc.boolean(),
    opset: fc.constantFrom(23, 24),
  })
  .map(({ shape, flat, mask, bool, causal, caches, scores, softcap, opset }): Case => {
    const { b, groups, perGroup, q, k, p, d, v } = shape;
    const heads = groups * perGroup;
    const total = caches ? p + k : k;
    const sizes: Record<string, number> = { b, h: heads, q, t: total, '1': 1 };
    const masked = mask === '11' ? 'qt' : mask;
    const maskShape = masked && [...masked].map((letter) => sizes[letter]!);
    const maskInput = maskShape && (bool ? bools(...maskShape) : f32(...maskShape));
    const past = caches ? [f32(b, groups, p, d), f32(b, groups, p, v)] : [];
    const data = flat
      ? [f32(b, q, heads * d), f32(b, k, groups * d), f32(b, k, groups * v)]
      : [f32(b, heads, q, d), f32(b, groups, k, d), f32(b, groups, k, v)];
    const attributes: Attributes = {
      is_causal: int(causal ? 1 : 0),
      ...(flat ? { q_num_heads: int(heads), kv_num_heads: int(groups) } : {}),
      ...(softcap ? { softcap: float(2) } : {}),
    };
    return {
      type: 'Attention',
      opset,
      attributes,
      inputs: [...data, maskInput, ...past],
      outputs: [true, caches, caches, scores],
    };
  });
property(test, 'any Attention', 'bhq', attentions, 120);

const multiHeads = fc
  .record({
    shape: shapes,
    bias: fc.boolean(),
    mask: fc.constantFrom('', 'b', 'bt', 'bqt', 'ends'),
    addend: fc.constantFrom('', 'bhqt', '1hqt', 'b1qt'),
    caches: fc.boolean(),
    causal: fc.boolean(),
  })
  .map(({ shape: { b, groups: h, q, k, p, d }, bias, mask, addend, caches, causal }): Case => {
    const total = caches ? p + k : k;
    const sizes: Record<string, number> = { b, h, q, t: total, '1': 1 };
    const extents = (letters: string) => [...letters].map((letter) => sizes[letter]!);
    const lengths = { ...index32(1, b), values: Array<number>(b).fill(total) };
    const masks: Record<string, Input> = {
      b: lengths,
      bt: index32(2, ...extents('bt')),
      bqt: index32(2, ...extents('bqt')),
    };
    return {
      type: 'MultiHeadAttention',
      domain: microsoft,
      attributes: { num_heads: int(h), unidirectional: int(causal ? 1 : 0) },
      inputs: [
        f32(b, q, h * d),
        f32(b, k, h * d),
        f32(b, k, h * d),
        bias ? f32(3 * h * d) : null,
        // Key lengths alone do not go with a cache.
        (caches && mask === 'b' ? null : masks[mask]) ?? null,
        addend ? f32(...extents(addend)) : null,
        ...(caches ? [f32(b, h, p, d), f32(b, h, p, d)] : []),
      ],
      outputs: [true, caches, caches],
    };
  });
property(test, 'any MultiHeadAttention', 'bhq', multiHeads, 80);

const groupQueries = fc
  .record({
    b: small,
    groups: small,
    perGroup: small,
    past: fc.integer({ min: 0, max: 4 }),
    rotary: fc.boolean(),
    sink: fc.boolean(),
    addend: fc.constantFrom('', 'bh', '1h', 'b1'),
    window: fc.constantFrom(-1, 2),
    s: some,
  })
  .map(({ b, groups, perGroup, past, rotary, sink, addend, window, s: prompt }): Case => {
    const [heads, s, d] = [groups * perGroup, past > 0 ? 1 : prompt, 16];
    const total = past + s;
    const sizes: Record<string, number> = { b, h: heads, '1': 1 };
    const cache = past > 0 ? f32(b, groups, past, d) : null;
    return {
      type: 'GroupQueryAttention',
      domain: microsoft,
      attributes: {
        num_heads: int(heads),
        kv_num_heads: int(groups),
        local_window_size: int(window),
        ...(rotary ? { do_rotary: int(1) } : {}),
      },
      inputs: [
        ...[f32(b, s, heads * d), f32(b, s, groups * d), f32(b, s, groups * d), cache, cache],
        { ...index32(1, b), values: Array<number>(b).fill(total - 1) },
        { dtype: 'int32', shape: [], values: [total], constant: true },
        ...(rotary ? [f32(9, d / 2), f32(9, d / 2)] : [null, null]),
        null,
        addend ? f32(...[...addend].map((letter) => sizes[letter]!), s, total) : null,
        sink ? f32(heads) : null,
      ],
      outputs: [true, true, true],
    };
  });
property(test, 'any GroupQueryAttention', 'bh', groupQueries, 60);

const embeddings = fc
  .record({ b: small, h: small, s: some, flat: fc.boolean(), cached: fc.boolean(), interleaved: fc.boolean() })
  .map(({ b, h, s, flat, cached, interleaved }): Case => {
    const cache = cached ? f32(7, 4) : f32(b, s, 4);
    return {
      type: 'RotaryEmbedding',
      opset: 23,
      attributes: { interleaved: int(interleaved ? 1 : 0), ...(flat ? { num_heads: int(h) } : {}) },
      inputs: [flat ? f32(b, s, h * 8) : f32(b, h, s, 8), cache, cache, ...(cached ? [index(7, b, s)] : [])],
    };
  });
property(test, 'any RotaryEmbedding', 'bhs', embeddings);

const positions = [index(9, 2, 3), f32(9, 4), f32(9, 4)];
rows(test, [
  [
    'bqh,bhkd,bhkd->bqh',
    'bhq',
    {
      type: 'MultiHeadAttention',
      domain: microsoft,
      inputs: [f32(2, 3, 32), f32(2, 4, 5, 8), f32(2, 4, 5, 8)],
      attributes: { num_heads: int(4) },
    },
  ],
  [
    'bsi,*,*,bm,obhpd->bse,obhtd',
    'b',
    {
      type: 'Attention',
      domain: microsoft,
      inputs: [f32(2, 3, 6), f32(6, 24), f32(24), index32(2, 2, 8), f32(2, 2, 2, 5, 4)],
      attributes: { num_heads: int(2), unidirectional: int(1) },
      outputs: [true, true],
    },
  ],
  [
    'bsi,*,*,c->bse',
    '',
    {
      type: 'Attention',
      domain: microsoft,
      inputs: [f32(2, 3, 6), f32(6, 24), f32(24), { ...index32(1, 4), values: [3, 2, 0, 1] }],
      attributes: { num_heads: int(2) },
    },
  ],
  [
    'bso,,,,,b,*->bsh,bhtd,bhtd',
    'b',
    {
      type: 'GroupQueryAttention',
      domain: microsoft,
      inputs: [
        f32(2, 3, 64),
        null,
        null,
        null,
        null,
        { ...index32(1, 2), values: [2, 2] },
        { dtype: 'int32', shape: [], values: [3] },
      ],
      attributes: { num_heads: int(4), kv_num_heads: int(2) },
      outputs: [true, true, true],
    },
  ],
  [
    'bsh,bs,mr,mr->bsh',
    'bhs',
    {
      type: 'RotaryEmbedding',
      domain: microsoft,
      inputs: [f32(2, 3, 32), ...positions],
      attributes: { num_heads: int(4) },
    },
  ],
  ['bsh,bs,mr,mr->bsh', 'bhs', { type: 'RotaryEmbedding', domain: microsoft, inputs: [f32(2, 3, 32), ...positions] }],
  [
    'bhsd,*,mr,mr->bhsd',
    'bh',
    {
      type: 'RotaryEmbedding',
      domain: microsoft,
      inputs: [f32(2, 4, 3, 8), { ...index(1, 1), values: [2] }, f32(9, 4), f32(9, 4)],
    },
  ],
  [
    'bsh,pbs,mr,mr->bsh',
    'bhs',
    {
      type: 'MRotaryEmbedding',
      domain: microsoft,
      inputs: [f32(2, 3, 32), index(9, 3, 2, 3), f32(9, 4), f32(9, 4)],
      attributes: { num_heads: int(4), mrope_section: ints(1, 1, 2) },
    },
  ],
  [
    'bsi,*,*,*,*,bm,*,*,obhpd->bse,obhtd',
    'b',
    {
      type: 'QAttention',
      domain: microsoft,
      inputs: [
        u8(2, 3, 6),
        i8(6, 24),
        f32(24),
        scale(),
        scale(),
        index32(2, 2, 8),
        u8(),
        { ...i8(), values: [0] },
        f32(2, 2, 2, 5, 4),
      ],
      attributes: { num_heads: int(2) },
      outputs: [true, true],
    },
  ],
  [
    'bsh,bsh,bsh,bhdv,bsh,bs1->bsh,bhdv',
    'bh',
    {
      type: 'LinearAttention',
      domain: microsoft,
      inputs: [f32(2, 3, 8), f32(2, 3, 8), f32(2, 3, 12), f32(2, 2, 4, 6), f32(2, 3, 2), f32(2, 3, 1)],
      attributes: { q_num_heads: int(2), kv_num_heads: int(2), update_rule: text('gated_delta') },
      outputs: [true, true],
    },
  ],
  [
    'bsi,bsi,bsi->bsh,bgdv',
    'b',
    {
      type: 'LinearAttention',
      domain: microsoft,
      inputs: [f32(2, 3, 16), f32(2, 3, 8), f32(2, 3, 8)],
      attributes: { q_num_heads: int(4), kv_num_heads: int(2), update_rule: text('linear') },
      outputs: [true, true],
    },
  ],
]);

const many = (value: number): Input => ({ dtype: 'int64', shape: [2], values: [value, value + 1] });
rows(test, [
  [
    'bhqd,bhkd,bhkv,bhqm,,,b->bhqv',
    'bhq',
    {
      type: 'Attention',
      opset: 24,
      inputs: [f32(2, 4, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 8), f32(2, 4, 3, 5), null, null, many(3)],
    },
  ],
]);
test.run();
