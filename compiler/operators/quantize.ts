/** Quantizing and products of quantized matrices. */
import { length, type Span } from '../ir/region.ts';
import { matmulLetters } from './matmul.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  fromFront,
  int,
  type Operand,
  type Rule,
  rightAligned,
  wholeAt,
} from './rule.ts';

/** One scale for all, one a position along the axis, or one a block of positions there. */
export const linear: Rule = (node) => {
  const { shape } = node.inputs[0]!;
  const scale = node.inputs[1]!.shape;
  const letters = axisLetters(shape.length);
  const axis = fromFront(int(node, 'axis') ?? 1, shape.length);
  const block = int(node, 'block_size') ?? 0;
  const single = scale.every((size) => size === 1);
  const parameters = single ? '*' : block > 0 ? letters : (letters[axis] ?? '*');
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? parameters : null))],
    outputs: [letters],
    ...(block > 0 && !single
      ? {
          steps: { [letters[axis]!]: block },
          windows: {
            [letters[axis]!]: ([begin, end], input): Span =>
              input === 0 ? [begin, end] : [Math.floor(begin / block), Math.ceil(end / block)],
          },
          // Of one block in a vector onnxruntime says that it is no blocks at all.
          adjust: (tile, spans) =>
            shape.length === 1 && length(spans[letters]!) <= block
              ? { ...tile, attributes: { block_size: { kind: 'int', value: 0 } } }
              : tile,
        }
      : {}),
  });
};

/** Scales and zero points of one matrix: one for all, or one a row (a column). */
export function parameterLetters(operand: Operand | null | undefined, matrix: string, letter: string): string | null {
  if (!operand) return null;
  const { shape } = operand;
  if (shape.every((size) => size === 1)) return '*';
  return shape.length === 1 ? letter : rightAligned(matrix, shape.length);
}

/** Sums of integers: exact in parts too. */
export const matmulInteger: Rule = (node) => {
  const [a, b, aZero, bZero] = node.inputs;
  const letters = matmulLetters(a!.shape.length, b!.shape.length);
  return byLetters(node, {
    inputs: [
      letters.a,
      letters.b,
      ...node.inputs
        .slice(2)
        .map((_, i) => (i === 0 ? parameterLetters(aZero, letters.a, 'm') : parameterLetters(bZero, letters.b, 'n'))),
    ],
    outputs: [letters.y],
    kinds: { k: 'reduce' },
    combine: 'sum',
  });
};

const qlinearMatmul: Rule = (node) => {
  const [a, , , b] = node.inputs;
  const letters = matmulLetters(a!.shape.length, b!.shape.length);
  const of = (index: number, matrix: string, letter: string) => parameterLetters(node.inputs[index], matrix, letter);
  return byLetters(node, {
    inputs: [
      letters.a,
      of(1, letters.a, 'm'),
      of(2, letters.a, 'm'),
      letters.b,
      of(4, letters.b, 'n'),
      of(5, letters.b, 'n'),
      of(6, letters.y, 'm'),
      of(7, letters.y, 'm'),
    ],
    outputs: [letters.y],
    whole: wholeAt('k', [0], 'sums are rounded to few bits'),
  });
};

export const quantizeFamily: Family = {
  DequantizeLinear: linear,
  MatMulInteger: matmulInteger,
  QLinearMatMul: qlinearMatmul,
  QuantizeLinear: linear,
};
