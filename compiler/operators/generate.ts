/** Tensors made from a shape alone: every tile makes its own. */
import { axisLetters, byLetters, type Family, int, int64, type Rule, tileShape } from './rule.ts';

const constantOfShape: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: ['*'],
    outputs: [letters],
    adjust: (_, spans) => ({ inputs: [int64(tileShape(letters, spans))] }),
  });
};

/** Ones on a diagonal: a tile's is moved by where the tile lies. Of the input only the extents matter. */
const eyeLike: Rule = (node) => {
  const k = int(node, 'k') ?? 0;
  return byLetters(node, {
    inputs: ['nc'],
    outputs: ['nc'],
    adjust: (tile, { n, c }) => ({ ...tile, attributes: { k: { kind: 'int', value: k + n![0] - c![0] } } }),
  });
};

export const generateFamily: Family = { ConstantOfShape: constantOfShape, EyeLike: eyeLike };
