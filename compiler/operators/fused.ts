/** Operators of com.microsoft that fuse others: by the rule of what they are made of. */
import { conv } from './conv.ts';
import { elementwise, table, trilu } from './elementwise.ts';
import { gemm, matmulLetters } from './matmul.ts';
import { axisLetters, byLetters, type Family, int, isWhole, type Rule, rightAligned, string, wholeAt } from './rule.ts';

const LATER = 'its activation comes after the sum';

/** Conv, then an addend of the output's shape, then an activation. */
const fusedConv: Rule = (node) => {
  const activated = string(node, 'activation') !== undefined || node.inputs[3];
  return conv({ weight: 1, bias: 2, addend: 3, ...(activated ? { noSums: LATER } : {}) })(node);
};

/** Its activation cannot be left out. */
const fusedGemm: Rule = (node) => {
  const cut = gemm(node);
  if (isWhole(cut)) return cut;
  const { combine: _, ...rest } = cut;
  return { ...rest, letters: { ...cut.letters, k: { kind: 'whole', size: cut.letters.k!.size, reason: LATER } } };
};

/** `[batch.., m, k]`, transposed `[batch.., k, m]`, or with the batch inside: `[m, batch.., k]`, `[k, batch.., m]`. */
function arranged(letters: string, transposed: boolean, batchInside: boolean): string {
  const [batch, m, k] = [letters.slice(0, -2), letters.at(-2)!, letters.at(-1)!];
  const [first, second] = transposed ? [k, m] : [m, k];
  return batchInside ? first + batch + second : batch + first + second;
}

const fusedMatmul: Rule = (node) => {
  const [a, b] = [node.inputs[0]!.shape.length, node.inputs[1]!.shape.length];
  const letters = matmulLetters(a, b);
  const flag = (name: string) => int(node, name) === 1;
  // A vector has nothing to transpose.
  const A = a === 1 ? letters.a : arranged(letters.a, flag('transA'), flag('transBatchA'));
  const B = b === 1 ? letters.b : arranged(letters.b, flag('transB'), flag('transBatchB'));
  return byLetters(node, { inputs: [A, B], outputs: [letters.y], kinds: { k: 'reduce' }, combine: 'sum' });
};

/** Distances between each row of A and each of B. */
const distances: Rule = (node) =>
  byLetters(node, {
    inputs: ['mk', 'nk'],
    outputs: ['mn'],
    whole: { k: 'a distance needs whole rows' },
  });

/** Matrices are the last two dimensions. */
const inverse: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters],
    whole: wholeAt(letters, [rank - 2, rank - 1], 'an inverse needs the whole matrix'),
  });
};

/** a [b,s,h], per-head addend and factor [h], rate [b,s,h]; both outputs alike. */
const attentionGate: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: node.inputs.map((input) => (input ? rightAligned(letters, input.shape.length) : null)),
    outputs: node.outputs.map((output) => (output ? letters : null)),
  });
};

/** Each token goes to the experts that its own row of the router names: tokens are free. */
const experts: Rule = (node) => {
  const tokens = node.inputs[0]!.shape.length === 2 ? 'nh' : 'bsh';
  const each = node.inputs[0]!.shape[1]!;
  return byLetters(node, {
    inputs: node.inputs.map((input, i) =>
      input ? (i === 0 ? tokens : i === 1 || i === 14 ? `${tokens[0]}e` : '*') : null,
    ),
    outputs: [tokens],
    whole: {
      h: 'an expert needs the whole token',
      e: 'the best experts are sought over it',
      ...(tokens === 'bsh' && node.inputs[0]!.shape[0]! > 1
        ? { s: 'tokens of all sequences are routed in one list' }
        : {}),
    },
    ...(tokens === 'bsh'
      ? { windows: { b: ([begin, end], i) => (i === 0 ? [begin, end] : [begin * each, end * each]) } }
      : {}),
  });
};

export const fusedFamily: Family = {
  ...table('BiasGelu FastGelu GatedAdd Gelu MurmurHash3 QuickGelu SampleOp', elementwise),
  CDist: distances,
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatmul,
  Inverse: inverse,
  LinearAttentionGate: attentionGate,
  MoE: experts,
  QMoE: experts,
  TransposeMatMul: fusedMatmul,
  Trilu: trilu,
};
