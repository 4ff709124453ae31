/** Examples of convolutions, poolings, normalizations, matrix products and recurrent layers. */
import {
  type Case,
  example,
  f32,
  float,
  i8,
  index32,
  int,
  ints,
  longs,
  of,
  positive,
  scale,
  text,
  u8,
} from './example.ts';

const picture = f32(2, 4, 6, 5);
const bytes = u8(2, 4, 6, 5);
const kernel = { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1) };
const padded = { pads: ints(1, 1, 1, 1) };
const zero = (...shape: number[]) => ({ ...i8(...shape), values: Array<number>(8).fill(0) });
const microsoft = { domain: 'com.microsoft' };
const tokens = f32(2, 3, 8);
const quantizedConv = [bytes, scale(), u8(), i8(6, 4, 3, 3), scale(6), zero(6), scale(), u8(), of('int32', 6)];

export const layerExamples: readonly Case[] = [
  example('Conv', [picture, f32(6, 4, 3, 3), f32(6)], padded),
  example('ConvInteger', [bytes, u8(6, 4, 3, 3), u8()], padded),
  example('ConvTranspose', [picture, f32(4, 6, 3, 3), f32(6)], { strides: ints(2, 2) }),
  example(
    'DeformConv',
    [picture, f32(6, 4, 3, 3), f32(2, 18, 4, 3), f32(6)],
    { kernel_shape: ints(3, 3) },
    { opset: 19 },
  ),
  example('QLinearConv', quantizedConv, padded),
  example('QLinearConv', quantizedConv, padded, microsoft),
  example('FusedConv', [picture, f32(6, 4, 3, 3), f32(6)], { ...padded, activation: text('Relu') }, microsoft),
  example('ConvTransposeWithDynamicPads', [picture, f32(4, 6, 3, 3), longs(1, 1, 1, 1)], {}, microsoft),
  example(
    'CausalConvWithState',
    [f32(2, 4, 6), f32(4, 1, 3), f32(4), f32(2, 4, 2)],
    {},
    { ...microsoft, outputs: [true, true] },
  ),

  example('AveragePool', [picture], kernel),
  example('LpPool', [picture], kernel, { opset: 18 }),
  example('MaxPool', [picture], kernel),
  example('GlobalAveragePool', [picture]),
  example('GlobalLpPool', [picture]),
  example('GlobalMaxPool', [picture]),
  example('MaxpoolWithMask', [picture, index32(2, 2, 4, 6, 5)], kernel, microsoft),
  example('NhwcMaxPool', [u8(2, 6, 5, 4)], kernel, microsoft),
  example('QLinearAveragePool', [bytes, scale(), u8(), scale(), u8()], kernel, microsoft),
  example('QLinearGlobalAveragePool', [bytes, scale(), u8(), scale(), u8()], {}, microsoft),

  example('BatchNormalization', [picture, f32(4), f32(4), f32(4), positive(4)]),
  example('GroupNormalization', [picture, f32(4), f32(4)], { num_groups: int(2) }, { opset: 21 }),
  example('InstanceNormalization', [picture, f32(4), f32(4)]),
  example('LayerNormalization', [tokens, f32(8), f32(8)]),
  example('LpNormalization', [tokens]),
  example('LRN', [picture], { size: int(3), alpha: float(0.5) }),
  example('MeanVarianceNormalization', [picture]),
  example('RMSNormalization', [tokens, f32(8)], {}, { opset: 23 }),
  example('SimplifiedLayerNormalization', [tokens, f32(8)], {}, { opset: 1 }),
  example(
    'SkipLayerNormalization',
    [tokens, tokens, f32(8), f32(8), f32(8)],
    {},
    { ...microsoft, outputs: [true, false, false, true] },
  ),
  example('SkipSimplifiedLayerNormalization', [tokens, tokens, f32(8)], {}, microsoft),
  example('GatedRMSNorm', [tokens, f32(4), tokens], {}, microsoft),
  example('EngramGate', [f32(2, 3, 4, 8), f32(2, 3, 4, 8), tokens, f32(4, 8), f32(4, 8)], {}, microsoft),
  example(
    'EmbedLayerNormalization',
    [
      index32(9, 2, 3),
      index32(2, 2, 3),
      ...[f32(9, 8), f32(3, 8), f32(2, 8), f32(8), f32(8)].map((table) => ({ ...table, constant: true })),
    ],
    {},
    { ...microsoft, outputs: [true, false, false] },
  ),
  example(
    'QEmbedLayerNormalization',
    [
      index32(9, 2, 3),
      index32(2, 2, 3),
      ...[u8(9, 8), u8(3, 8), u8(2, 8), u8(8), u8(8)].map((table) => ({ ...table, constant: true })),
      index32(2, 2, 3),
      ...[scale(), scale(), scale(), scale(), scale()],
      ...[u8(), u8(), u8(), u8(), u8()],
    ],
    {},
    { ...microsoft, outputs: [true, true] },
  ),

  example('Gemm', [f32(3, 5), f32(5, 4), f32(4)]),
  example('MatMul', [f32(2, 3, 5), f32(5, 4)]),
  example('MatMulInteger', [u8(3, 5), i8(5, 4), u8(), i8(4)]),
  example('QLinearMatMul', [u8(3, 5), scale(), u8(), i8(5, 4), scale(4), i8(4), scale(), u8()]),
  example('Einsum', [f32(2, 3, 5), f32(2, 5, 4)], { equation: text('bmk,bkn->bmn') }),
  example('Det', [f32(2, 3, 3)]),
  example('Inverse', [f32(2, 3, 3)], {}, microsoft),
  example('CDist', [f32(3, 5), f32(4, 5)], { metric: text('euclidean') }, microsoft),
  example('FusedGemm', [f32(3, 5), f32(5, 4), f32(4)], { activation: text('Relu') }, microsoft),
  example('FusedMatMul', [f32(2, 3, 5), f32(2, 4, 5)], { transB: int(1), alpha: float(0.5) }, microsoft),
  example('TransposeMatMul', [f32(2, 3, 5), f32(2, 4, 5)], { transB: int(1) }, microsoft),
  example('DynamicQuantizeMatMul', [f32(3, 5), u8(5, 4), scale(4), u8(4), f32(4)], {}, microsoft),
  example(
    'MatMulBnb4',
    [f32(3, 16), u8(64), f32(8)],
    { K: int(16), N: int(8), block_size: int(16), quant_type: int(1) },
    microsoft,
  ),
  example('MatMulFpQ4', [f32(3, 32), u8(84), longs(32, 4)], { blk_quant_type: int(1) }, microsoft),
  example('MatMulInteger16', [of('int16', 3, 5), of('int16', 5, 4)], {}, microsoft),
  example('MatMulIntegerToFloat', [u8(3, 5), u8(5, 4), scale(), scale(4), u8(), u8(4), f32(4)], {}, microsoft),
  example(
    'MatMulNBits',
    [f32(3, 64), u8(4, 4, 8), f32(4, 4)],
    { K: int(64), N: int(4), bits: int(4), block_size: int(16) },
    microsoft,
  ),
  example('QGemm', [u8(3, 5), scale(), u8(), i8(5, 4), scale(4), i8(4), of('int32', 4)], {}, microsoft),
  example(
    'MoE',
    [f32(5, 8), f32(5, 4), f32(4, 6, 8), f32(4, 6), f32(4, 8, 6), f32(4, 8)],
    { k: int(2), activation_type: text('relu') },
    microsoft,
  ),
  example(
    'QMoE',
    [f32(5, 32), f32(5, 4), u8(4, 32, 16), scale(4, 32), f32(4, 32), u8(4, 32, 16), scale(4, 32), f32(4, 32)],
    { k: int(2), activation_type: text('relu'), expert_weight_bits: int(4) },
    microsoft,
  ),

  example('GRU', [f32(3, 4, 5), f32(2, 6, 5), f32(2, 6, 2)], {
    hidden_size: int(2),
    direction: text('bidirectional'),
  }),
  example('LSTM', [f32(3, 4, 5), f32(2, 8, 5), f32(2, 8, 2)], {
    hidden_size: int(2),
    direction: text('bidirectional'),
  }),
  example('RNN', [f32(3, 4, 5), f32(2, 2, 5), f32(2, 2, 2)], {
    hidden_size: int(2),
    direction: text('bidirectional'),
  }),
  example(
    'AttnLSTM',
    [
      ...[f32(3, 4, 5), f32(1, 8, 9), f32(1, 8, 2), f32(1, 16), null, null, null, null],
      ...[f32(1, 2, 3), f32(1, 4, 3), f32(1, 3), f32(4, 6, 4), null, null],
    ],
    { hidden_size: int(2), direction: text('forward') },
    { ...microsoft, outputs: [true] },
  ),
  example(
    'DynamicQuantizeLSTM',
    [
      ...[f32(3, 4, 5), u8(1, 5, 8), u8(1, 2, 8), f32(1, 16), null, null, null, null],
      ...[scale(1), u8(1), scale(1), u8(1)].map((input) => ({ ...input, constant: true })),
    ],
    { hidden_size: int(2), direction: text('forward') },
    microsoft,
  ),
];
