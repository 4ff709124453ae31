/** Transpose: every dimension is free. */
import { axisLetters, byLetters, type Family, ints, type Rule } from './rule.ts';

const transpose: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const order = ints(node, 'perm') ?? [...Array(rank).keys()].reverse();
  const letters = axisLetters(rank);
  return byLetters(node, { inputs: [letters], outputs: [order.map((i) => letters[i]!).join('')] });
};

export const transposeFamily: Family = { Transpose: transpose };
