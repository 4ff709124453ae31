/** Matrix products: rows and columns are free, the inner dimension a sum. */
import {
  byLetters,
  type Family,
  float,
  freshLetters,
  int,
  type Node,
  type Rule,
  rightAligned,
  type Tile,
} from './rule.ts';

/** `alpha A B + beta C`: C is added once, by the partial that begins at 0. */
export const gemm: Rule = (node) => {
  const c = node.inputs[2];
  return byLetters(node, {
    inputs: [
      int(node, 'transA') ? 'km' : 'mk',
      int(node, 'transB') ? 'nk' : 'kn',
      ...(c ? [rightAligned('mn', c.shape.length)] : []),
    ],
    outputs: ['mn'],
    kinds: { k: 'reduce' },
    combine: 'sum',
    adjust: (tile, spans) => (c && spans.k![0] > 0 ? withoutAddend(node, tile) : tile),
  });
};

/** Before opset 11 C cannot be omitted. */
function withoutAddend(node: Node, tile: Tile): Tile {
  if (node.opset >= 11) return { ...tile, inputs: tile.inputs.slice(0, 2) };
  return (float(node, 'beta') ?? 1) === 0 ? tile : { ...tile, attributes: { beta: { kind: 'float', value: 0 } } };
}

/** Letters of `[..., m, k]` and `[..., k, n]` under numpy's matmul; vectors have no m or no n. */
export function matmulLetters(a: number, b: number): { a: string; b: string; y: string } {
  const batch = Math.max(a, b, 2) - 2;
  const letters = batch <= 2 ? ['', 'b', 'bh'][batch]! : freshLetters(batch, 'mkn');
  return {
    a: a === 1 ? 'k' : `${rightAligned(letters, a - 2)}mk`,
    b: b === 1 ? 'k' : `${rightAligned(letters, b - 2)}kn`,
    y: `${letters}${a === 1 ? '' : 'm'}${b === 1 ? '' : 'n'}`,
  };
}

const matmul: Rule = (node) => {
  const letters = matmulLetters(node.inputs[0]!.shape.length, node.inputs[1]!.shape.length);
  return byLetters(node, {
    inputs: [letters.a, letters.b],
    outputs: [letters.y],
    kinds: { k: 'reduce' },
    combine: 'sum',
  });
};

export const matmulFamily: Family = { Gemm: gemm, MatMul: matmul };
