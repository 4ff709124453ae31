/** Operators that compute each element from the elements at the same place, with numpy's broadcasting. */
import type { Literal } from '../ir/program.ts';
import type { Region, Span } from '../ir/region.ts';
import {
  atRunTime,
  axisLetters,
  byLetters,
  type Family,
  int,
  type Rule,
  rightAligned,
  whole,
  wholeAt,
  wholeOf,
} from './rule.ts';

/** Every output dimension is free; operands are broadcast. */
export const elementwise: Rule = (node) => {
  if (int(node, 'broadcast')) return whole('broadcasting by attribute (opset 6 and before) is not split');
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: node.inputs.map((input) => (input ? rightAligned(letters, input.shape.length) : null)),
    outputs: node.outputs.map((output) => (output ? letters : null)),
  });
};

/** Of the second input only the element type matters: a constant stands for it, or, of rarer types, its first element. */
const castLike: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  const { shape, tensor } = node.inputs[1]!;
  const dtype = literalTypes.find((candidate) => candidate === tensor.dtype);
  if (!dtype && shape.includes(0)) return whole('its second input is empty');
  const like: Region | Literal = dtype
    ? { kind: 'literal', dtype, shape: [1], data: [0] }
    : shape.map((): Span => [0, 1]);
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    adjust: (tile) => ({ inputs: [tile.inputs[0]!, like] }),
  });
};
const literalTypes = ['float32', 'int32', 'int64'] as const;

/** Inference is the identity, and the mask is all true. */
const dropout: Rule = (node) => {
  if (node.opset < 7 && int(node, 'is_test') !== 1) return whole('random: Dropout in training mode');
  const [, ratio, training] = node.inputs;
  if (training && training.constant?.[0] !== 0 && ratio?.constant?.[0] !== 0)
    return whole(
      training.constant ? 'random: Dropout in training mode' : `random, if it trains: ${atRunTime('whether it does')}`,
    );
  const cut = elementwise(node);
  if ('whole' in cut) return cut;
  return {
    ...cut,
    tile: (spans) => ({ inputs: [cut.tile(spans).inputs[0]!, ...node.inputs.slice(1).map(wholeOf)] }),
  };
};

/** The upper or lower triangle: a tile's diagonal is moved by where the tile lies. */
export const trilu: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  const [row, column] = [letters.at(-2)!, letters.at(-1)!];
  const offset = node.inputs[1];
  const known = offset ? offset.constant?.[0] : 0;
  if (known === undefined) {
    return byLetters(node, {
      inputs: [letters, '*'],
      outputs: [letters],
      whole: wholeAt(row + column, [0, 1], atRunTime('where the diagonal lies')),
    });
  }
  return byLetters(node, {
    inputs: [letters, ...(offset ? ['*'] : [])],
    outputs: [letters],
    adjust: (tile, spans) => ({
      inputs: [tile.inputs[0]!, diagonal(known + spans[row]![0] - spans[column]![0])],
    }),
  });
};
const diagonal = (k: number) => ({ kind: 'literal', dtype: 'int64', shape: [], data: [k] }) as const;

/** One rule for many operators. */
export const table = (types: string, rule: Rule = elementwise): Family =>
  Object.fromEntries(
    types
      .trim()
      .split(/\s+/)
      .map((type) => [type, rule]),
  );

export const elementwiseFamily: Family = {
  ...table(`
    Abs Acos Acosh Asin Asinh Atan Atanh BitCast BitwiseNot Cast Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu HardSigmoid
    HardSwish Identity IsInf IsNaN LeakyRelu Log Mish Neg Not OptionalGetElement Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh
    Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu
    Add And BitShift BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less LessOrEqual Mod Mul Or PRelu
    Pow Sub Where Xor
    Max Mean Min Sum`),
  CastLike: castLike,
  Dropout: dropout,
  Trilu: trilu,
};
