/** Examples of operators that compute each element from those at the same place. */
import {
  bools,
  type Case,
  example,
  f32,
  float,
  floats,
  index,
  int,
  of,
  positive,
  reals,
  scale,
  text,
  u8,
} from './example.ts';

const x = f32(2, 3, 4);
const each = (types: string, inputs: Case['inputs'], opset = 22) =>
  types.split(' ').map((type) => example(type, inputs, {}, { opset }));
const integers = of('int32', 2, 3, 4);
const quantized = [u8(2, 3, 4), scale(), u8()];
const microsoft = { domain: 'com.microsoft' };

export const elementwiseExamples: readonly Case[] = [
  ...each('Abs Asin Asinh Atan Ceil Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN', [x]),
  ...each('LeakyRelu Mish Neg Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Tan Tanh', [x]),
  ...each('Acos Atanh', [{ ...x, range: [-0.9, 0.9] }]),
  ...each('Acosh', [{ ...x, range: [1.1, 3] }]),
  ...each('Celu Clip Cosh Gelu ThresholdedRelu', [x]),
  ...each('Log Reciprocal Sqrt', [positive(2, 3, 4)]),
  ...each('Swish', [x], 24),
  ...each('Add Div Mul Sub PRelu Equal Greater GreaterOrEqual Less LessOrEqual', [x, f32(3, 1)]),
  ...each('Max Mean Min Sum', [x, f32(3, 1), f32(4)]),
  ...each('And Or Xor', [bools(2, 3, 4), bools(3, 1)]),
  ...each('Not', [bools(2, 3, 4)]),
  ...each('BitwiseAnd BitwiseOr BitwiseXor', [integers, of('int32', 4)]),
  ...each('BitwiseNot', [integers]),
  example('BitShift', [of('uint8', 2, 3, 4), { ...of('uint8', 4), range: [0, 4] }], { direction: text('LEFT') }),
  example('BitCast', [x], { to: int(6) }, { opset: 26 }),
  example('Cast', [x], { to: int(6) }),
  example('CastLike', [x, of('int32', 2)]),
  example('Dropout', [x]),
  example('Mod', [integers, { ...of('int32', 4), range: [1, 9] }]),
  example('Pow', [positive(2, 3, 4), f32(3, 1)]),
  example('Where', [bools(3, 1), x, f32(4)]),
  example('Trilu', [f32(2, 4, 5)]),
  example('RegexFullMatch', [of('string', 2, 5)], { pattern: text('[a-z]+') }, { opset: 20 }),
  example('StringConcat', [of('string', 2, 5), of('string', 5)], {}, { opset: 20 }),
  example('StringNormalizer', [of('string', 5)], { is_case_sensitive: int(1) }),
  example('StringSplit', [of('string', 5)], { delimiter: text('o') }, { opset: 20, outputs: [true, true] }),
  example('Affine', [x], { alpha: float(2), beta: float(1) }, { opset: 1 }),
  example('ParametricSoftplus', [x], { alpha: float(2), beta: float(1) }, { opset: 1 }),
  example('Scale', [x], { scale: float(2) }, { opset: 1 }),
  example('ScaledTanh', [x], { alpha: float(2), beta: float(1) }, { opset: 1 }),
  example('ImageScaler', [f32(2, 3, 4, 5)], { scale: float(2), bias: reals(1, 2, 3) }, { opset: 1 }),

  example('BiasGelu', [x, f32(4)], {}, microsoft),
  example('FastGelu', [x, f32(4)], {}, microsoft),
  example('GatedAdd', [x, x, f32(2, 3, 1)], {}, microsoft),
  example('Gelu', [x], {}, microsoft),
  example('LinearAttentionGate', [x, f32(4), f32(4), x], {}, { ...microsoft, outputs: [true, true] }),
  example('MurmurHash3', [of('int32', 2, 3)], {}, microsoft),
  example('QuickGelu', [x], { alpha: float(1.5) }, microsoft),
  example('SampleOp', [x], {}, microsoft),
  example('Trilu', [f32(2, 4, 5)], {}, microsoft),
  example('QLinearAdd', [...quantized, u8(4), scale(), u8(), scale(), u8()], {}, microsoft),
  example('QLinearMul', [...quantized, u8(4), scale(), u8(), scale(), u8()], {}, microsoft),
  example('QLinearLeakyRelu', [...quantized, scale(), u8()], { alpha: float(0.1) }, microsoft),
  example('QLinearSigmoid', [...quantized, scale(), u8()], {}, microsoft),
  example(
    'QLinearWhere',
    [bools(3, 1), u8(2, 3, 4), floats(0.02), u8(1), u8(4), floats(0.03), u8(1), floats(0.04), u8(1)].map((input) =>
      input.constant || input.shape[0] === 1 ? { ...input, shape: [], constant: true } : input,
    ),
    {},
    microsoft,
  ),

  example('Binarizer', [x], { threshold: float(0.2) }, { domain: 'ai.onnx.ml', opset: 1 }),
  example(
    'LabelEncoder',
    [index(3, 2, 3)],
    { keys_int64s: { kind: 'ints', value: [0, 1] }, values_floats: reals(5, 6), default_float: float(-1) },
    { domain: 'ai.onnx.ml', opset: 2 },
  ),
];
