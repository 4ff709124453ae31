import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { elementwiseFamily } from '../../compiler/operators/elementwise.ts';
import type { NumericDType } from '../../runtime/dtype.ts';
import { type Case, f32, float, type Input, int, prove, text } from './brute-force.ts';
import { property, type Row, rows, wholes } from './suite.ts';

const test = suite('elementwise');

const bool = (...shape: number[]): Input => ({ dtype: 'bool', shape });
const u8 = (...shape: number[]): Input => ({ dtype: 'uint8', shape, range: [0, 8] });
const i32 = (...shape: number[]): Input => ({ dtype: 'int32', shape, range: [1, 9] });
const positive = (...shape: number[]): Input => ({ dtype: 'float32', shape, range: [0.1, 3] });

/** Operators of one input, with what they need besides it. */
const UNARY: Record<string, Partial<Case>> = {
  ...Object.fromEntries(
    `Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu
    Log Neg Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh ThresholdedRelu`
      .trim()
      .split(/\s+/)
      .map((type) => [type, {}]),
  ),
  BitCast: { opset: 26, attributes: { to: int(6) } },
  BitwiseNot: { inputs: [u8(2, 3, 4)], opset: 18 },
  Cast: { attributes: { to: int(6) } },
  Celu: { attributes: { alpha: float(0.7) } },
  Clip: { inputs: [f32(2, 3, 4), f32(), null] },
  Gelu: { opset: 20, attributes: { approximate: text('tanh') } },
  Mish: { opset: 18 },
  Not: { inputs: [bool(2, 3, 4)] },
  Swish: { opset: 24, attributes: { alpha: float(0.7) } },
};

const BINARY: Record<string, (...shape: number[]) => Input> = {
  ...Object.fromEntries('Add Div Mul Sub Max Min Sum Mean PRelu'.split(' ').map((type) => [type, f32])),
  ...Object.fromEntries('Equal Greater GreaterOrEqual Less LessOrEqual Mod'.split(' ').map((type) => [type, i32])),
  ...Object.fromEntries('And Or Xor'.split(' ').map((type) => [type, bool])),
  ...Object.fromEntries('BitShift BitwiseAnd BitwiseOr BitwiseXor'.split(' ').map((type) => [type, u8])),
  Pow: positive,
};

for (const [type, more] of Object.entries(UNARY)) {
  test(type, async () => {
    const proof = await prove({ type, inputs: [f32(2, 3, 4)], ...more });
    assert.is(proof.letters, 'cnw');
  });
}

const EXTRA: Record<string, Partial<Case>> = {
  BitShift: { attributes: { direction: text('LEFT') } },
  BitwiseAnd: { opset: 18 },
  BitwiseOr: { opset: 18 },
  BitwiseXor: { opset: 18 },
};

for (const [type, input] of Object.entries(BINARY)) {
  test(type, async () => {
    const inputs = type === 'PRelu' ? [input(2, 3, 4), input(3, 1)] : [input(2, 1, 4), input(3, 1)];
    const proof = await prove({ type, inputs, ...EXTRA[type] });
    assert.is(proof.letters, 'cnw');
  });
}

const broadcast: Row[] = [
  ['nchw,chw->nchw', 'chnw', { type: 'Add', inputs: [f32(2, 3, 4, 5), f32(3, 1, 1)] }],
  ['w,nchw->nchw', 'chnw', { type: 'Sub', inputs: [f32(5), f32(2, 3, 4, 1)] }],
  [',nc->nc', 'cn', { type: 'Mul', inputs: [f32(), f32(3, 5)] }],
  ['->', '', { type: 'Exp', inputs: [f32()] }],
  ['nchw,w,->nchw', 'chnw', { type: 'Where', inputs: [bool(2, 3, 4, 5), f32(1), f32()] }],
  ['nchw,chw,nchw->nchw', 'chnw', { type: 'Max', inputs: [f32(2, 3, 1, 5), f32(3, 4, 1), f32(1, 1, 4, 5)] }],
  ['abcdefg,g->abcdefg', 'bdg', { type: 'Add', inputs: [f32(1, 2, 1, 3, 1, 1, 4), f32(4)] }],
  [
    'ncw->ncw',
    'cnw',
    { type: 'Clip', opset: 6, attributes: { min: float(-0.5), max: float(0.5) }, inputs: [f32(2, 3, 4)] },
  ],
  ['ncw,,->ncw', 'cnw', { type: 'Clip', opset: 13, inputs: [f32(2, 3, 4), null, f32()] }],
  ['ncw,*->ncw', 'cnw', { type: 'CastLike', inputs: [f32(2, 3, 4), i32(3, 2)] }],
  ['ncw,*->ncw', 'cnw', { type: 'CastLike', inputs: [f32(2, 3, 4), u8(3, 2)] }],
  ['ncw->ncw', 'cnw', { type: 'OptionalGetElement', opset: 18, inputs: [f32(2, 3, 4)] }],
  ['ncw->ncw,ncw', 'cnw', { type: 'Dropout', inputs: [f32(2, 3, 4)], outputs: [true, true] }],
  ['ncw->ncw', 'cnw', { type: 'Dropout', opset: 10, attributes: { ratio: float(0.3) }, inputs: [f32(2, 3, 4)] }],
  ['ncw,,->ncw', 'cnw', { type: 'Dropout', inputs: [f32(2, 3, 4), f32(), { ...bool(), values: [0], constant: true }] }],
  // Nothing is dropped.
  [
    'ncw,,->ncw',
    'cnw',
    { type: 'Dropout', inputs: [f32(2, 3, 4), { ...f32(), values: [0], constant: true }, { ...bool(), values: [1] }] },
  ],
  ['ncw->ncw', 'cnw', { type: 'Trilu', attributes: { upper: int(0) }, inputs: [f32(2, 5, 4)] }],
];
rows(test, broadcast);

for (const k of [-6, -2, 0, 1, 3, 9]) {
  test(`Trilu k=${k}`, async () => {
    const offset: Input = { dtype: 'int64', shape: [], values: [k], constant: true };
    assert.is((await prove({ type: 'Trilu', inputs: [f32(2, 5, 6), offset] })).letters, 'cnw');
  });
}

wholes(test, [
  ['random', { type: 'Dropout', inputs: [f32(2, 3), f32(), { ...bool(), values: [1], constant: true }] }],
  ['only known at run time', { type: 'Dropout', inputs: [f32(2, 3), f32(), { ...bool(), values: [0] }] }],
  ['random', { type: 'RandomNormalLike', inputs: [f32(2, 3)] }],
  ['tells about the whole', { type: 'Shape', inputs: [f32(2, 3)] }],
]);

const dtypes: NumericDType[] = ['float32', 'float64', 'int32', 'int64'];
/** Shapes that broadcast to one shape: dimensions dropped in front, or of size 1. */
const broadcasting = fc
  .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 5 })
  .chain((shape) =>
    fc.tuple(
      fc.constantFrom(...dtypes),
      fc.constantFrom('Add', 'Mul', 'Sub'),
      fc.array(
        fc.tuple(fc.nat(shape.length), fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length })),
        { minLength: 2, maxLength: 2 },
      ),
      fc.constant(shape),
    ),
  )
  .map(([dtype, type, masks, shape]): Case => {
    const inputs = masks.map(([dropped, ones]) => ({
      dtype,
      shape: shape.map((size, i) => (ones[i] ? 1 : size)).slice(dropped),
    }));
    return { type, inputs };
  });
property(test, 'any broadcast', 'cdhnw', broadcasting);

test('every elementwise operator is proven', () => {
  const special = ['CastLike', 'Dropout', 'OptionalGetElement', 'Trilu', 'Where'];
  const proven = [...Object.keys(UNARY), ...Object.keys(BINARY), ...special].sort();
  assert.equal(proven, Object.keys(elementwiseFamily).sort());
});

test.run();
