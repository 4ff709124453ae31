/** Tensors made from a shape alone: every tile makes its own. */
import { axisLetters, byLetters, type Family, int64, type Rule, tileShape } from './rule.ts';

const constantOfShape: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: ['*'],
    outputs: [letters],
    adjust: (_, spans) => ({ inputs: [int64(tileShape(letters, spans))] }),
  });
};

export const generateFamily: Family = { ConstantOfShape: constantOfShape };
