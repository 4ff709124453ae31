/** Matrix products with quantized weights: rows and columns are free, sums are shared where parts of them are exact. */
import type { Attribute } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import { matmulLetters } from './matmul.ts';
import { matmulInteger, parameterLetters } from './quantize.ts';
import { byLetters, type Family, int, type Rule, rightAligned, type Tile } from './rule.ts';

/** The addend is added once, by the partial that begins at 0. */
const once =
  (bias: number) =>
  (tile: Tile, k: Span): Tile =>
    k[0] > 0 ? { ...tile, inputs: tile.inputs.slice(0, bias) } : tile;

/** A is quantized by its own extremes. */
const dynamic: Rule = (node) => {
  const [a, b, scale, zero] = node.inputs;
  const letters = matmulLetters(a!.shape.length, b!.shape.length);
  const rows = [...letters.a.slice(0, -1)];
  const reason = 'A is quantized by the extremes of the whole tensor';
  return byLetters(node, {
    inputs: [
      letters.a,
      letters.b,
      parameterLetters(scale, letters.b, 'n'),
      ...(node.inputs.length > 3 ? [parameterLetters(zero, letters.b, 'n')] : []),
      ...(node.inputs[4] ? ['n'] : []),
    ],
    outputs: [letters.y],
    whole: Object.fromEntries([...rows, 'k'].map((letter) => [letter, reason])),
  });
};

/** A, B, scales and zero points of both, bias [n]; the products are floats, so parts of a sum add up. */
const integerToFloat: Rule = (node) => {
  const [a, b, aScale, bScale, aZero, bZero] = node.inputs;
  const letters = matmulLetters(a!.shape.length, b!.shape.length);
  const inputs = [
    letters.a,
    letters.b,
    parameterLetters(aScale, letters.a, 'm'),
    parameterLetters(bScale, letters.b, 'n'),
    parameterLetters(aZero, letters.a, 'm'),
    parameterLetters(bZero, letters.b, 'n'),
    'n',
  ];
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: [letters.y],
    kinds: { k: 'reduce' },
    combine: 'sum',
    adjust: (tile, spans) => once(6)(tile, spans.k!),
  });
};

/**
 * A [.., k], B [n, blocks, bytes], scales [n, blocks] or flat, zero points (packed in bytes, or one a block), bias [n].
 * The sum is cut between blocks, where the packed zero points allow it.
 */
const nBits: Rule = (node) => {
  const [a, , scales, zeros] = node.inputs;
  const [columns, block, bits] = [int(node, 'N')!, int(node, 'block_size')!, int(node, 'bits') ?? 4];
  const blocks = node.inputs[1]!.shape[1]!;
  const rows = rightAligned('abcdefghijmk', a!.shape.length);
  const perByte = zeros?.tensor.dtype === 'uint8' ? 8 / bits : 1;
  const flat = [scales, zeros].some((operand) => operand && operand.shape.length === 1);
  const reason = node.inputs[4]
    ? 'its groups of columns may lie anywhere'
    : flat
      ? 'its scales are one list, row after row'
      : undefined;
  const parameters = (size: number | undefined) => (size === columns ? 'n' : undefined);
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => {
      if (!input) return null;
      if (i === 0) return rows;
      if (i === 1) return 'nkz';
      if (i === 4) return '*';
      if (i === 5) return 'n';
      return input.shape.length === 1 ? 'n' : `${parameters(input.shape[0]) ?? 'n'}k`;
    }),
    outputs: [`${rows.slice(0, -1)}n`],
    whole: { z: 'one block', ...(reason ? { k: reason } : {}) },
    few: 'z',
    ...(reason ? {} : { kinds: { k: 'reduce' }, combine: 'sum' }),
    steps: { k: block * perByte },
    windows: {
      n: ([begin, end], i): Span => {
        // A flat list holds all blocks of a row one after another.
        const each = (node.inputs[i]?.shape.length === 1 && i !== 5 ? node.inputs[i]!.shape[0]! : columns) / columns;
        return [begin * each, end * each];
      },
      k: ([begin, end], i): Span => {
        if (i === 0) return [begin, end];
        const per = i === 3 ? perByte : 1;
        return [Math.floor(begin / block / per), Math.ceil(Math.ceil(end / block) / per)];
      },
    },
    adjust: (tile, spans) => {
      const k = spans.k!;
      const whole = length(k) >= a!.shape.at(-1)!;
      const count = (value: number): Attribute => ({ kind: 'int', value });
      const attributes = { N: count(length(spans.n!)), ...(whole ? {} : { K: count(length(k)) }) };
      return { ...(blocks > 1 ? once(5)(tile, k) : tile), attributes };
    },
  });
};

/** Weights in one blob of 4-bit blocks: only the rows of A are free. */
const blob: Rule = (node) => {
  const a = rightAligned('abcdefghijmk', node.inputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [a, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [`${a.slice(0, -1)}n`],
    whole: { k: 'its weights are one blob', n: 'its weights are one blob' },
  });
};

/** A, B and the addend C (int32, in units of both scales), then the output's scale if it is quantized. */
const quantizedGemm: Rule = (node) => {
  const [a, b] = [int(node, 'transA') ? 'km' : 'mk', int(node, 'transB') ? 'nk' : 'kn'];
  const column = (i: number) => (node.inputs[i] && node.inputs[i]!.shape.some((size) => size > 1) ? 'n' : '*');
  const c = node.inputs[6];
  const inputs = [a, '*', '*', b, column(4), column(5), rightAligned('mn', c?.shape.length ?? 0), '*', '*'];
  const rounded = node.inputs[7];
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: ['mn'],
    ...(rounded
      ? { whole: { k: 'sums are rounded to few bits' } }
      : { kinds: { k: 'reduce' as const }, combine: 'sum' as const }),
    adjust: (tile, spans) => once(6)(tile, rounded ? [0, 0] : spans.k!),
  });
};

export const quantizedProductFamily: Family = {
  DynamicQuantizeMatMul: dynamic,
  MatMulBnb4: blob,
  MatMulFpQ4: blob,
  MatMulInteger16: matmulInteger,
  MatMulIntegerToFloat: integerToFloat,
  MatMulNBits: nBits,
  QGemm: quantizedGemm,
};
