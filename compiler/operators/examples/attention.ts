/** Examples of attentions and rotary embeddings. */
import { type Case, example, f32, i8, index, index32, int, ints, scale, text, u8 } from './example.ts';

const microsoft = { domain: 'com.microsoft' };
const cache = f32(2, 2, 5, 4);
const total = { dtype: 'int32', shape: [], values: [6], constant: true } as const;

export const attentionExamples: readonly Case[] = [
  example('Attention', [f32(2, 4, 3, 8), f32(2, 2, 5, 8), f32(2, 2, 5, 8), f32(3, 5)], {}, { opset: 23 }),
  example('Attention', [f32(2, 3, 6), f32(6, 24), f32(24)], { num_heads: int(2) }, microsoft),
  example(
    'DecoderMaskedMultiHeadAttention',
    [f32(2, 1, 8), f32(2, 1, 8), f32(2, 1, 8), null, null, cache, cache, { ...total, values: [3] }],
    { num_heads: int(2), past_present_share_buffer: int(1) },
    { ...microsoft, outputs: [true, true, true] },
  ),
  example(
    'GroupQueryAttention',
    [
      ...[f32(2, 1, 32), f32(2, 1, 16), f32(2, 1, 16), f32(2, 2, 5, 8), f32(2, 2, 5, 8)],
      { ...index32(1, 2), values: [5, 3] },
      total,
    ],
    { num_heads: int(4), kv_num_heads: int(2) },
    { ...microsoft, outputs: [true, true, true] },
  ),
  example(
    'LinearAttention',
    [f32(2, 3, 8), f32(2, 3, 8), f32(2, 3, 8), f32(2, 2, 4, 4)],
    { q_num_heads: int(2), kv_num_heads: int(2), update_rule: text('linear') },
    { ...microsoft, outputs: [true, true] },
  ),
  example('MultiHeadAttention', [f32(2, 3, 16), f32(2, 5, 16), f32(2, 5, 16)], { num_heads: int(4) }, microsoft),
  example(
    'QAttention',
    [u8(2, 3, 6), i8(6, 24), f32(24), scale(), scale(), null, u8(), { ...i8(), values: [0] }],
    { num_heads: int(2) },
    microsoft,
  ),
  example('RotaryEmbedding', [f32(2, 4, 3, 8), f32(9, 4), f32(9, 4), index(9, 2, 3)], {}, { opset: 23 }),
  example('RotaryEmbedding', [f32(2, 4, 3, 8), index(9, 2, 3), f32(9, 4), f32(9, 4)], {}, microsoft),
  example(
    'MRotaryEmbedding',
    [f32(2, 4, 3, 8), index(9, 3, 2, 3), f32(9, 4), f32(9, 4)],
    { mrope_section: ints(1, 1, 2) },
    microsoft,
  ),
];
