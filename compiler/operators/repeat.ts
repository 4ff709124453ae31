/** Expand and Tile: elements repeated. The tile's own extents take the place of shape or repeats. */
import { axisLetters, byLetters, type Family, int64, type Rule, rightAligned, tileShape, wholeAt } from './rule.ts';

/** Every dimension is free; the input is broadcast. */
const expand: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [rightAligned(letters, node.inputs[0]!.shape.length), '*'],
    outputs: [letters],
    adjust: (tile, spans) => ({ inputs: [tile.inputs[0]!, int64(tileShape(letters, spans))] }),
  });
};

/** Free where nothing or a single element is repeated. */
const tileRule: Rule = (node) => {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(output.length);
  const repeats = output.map((size, i) => size / input[i]!);
  const several = [...output.keys()].filter((i) => repeats[i] !== 1 && input[i] !== 1);
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    whole: wholeAt(letters, several, 'it is repeated as a whole'),
    windows: Object.fromEntries(several.map((i) => [letters[i]!, () => [0, input[i]!] as const])),
    adjust: (tile, spans) => {
      const extents = tileShape(letters, spans);
      const times = repeats.map((repeat, i) => (input[i] === 1 ? extents[i]! : repeat));
      return { inputs: [tile.inputs[0]!, int64(times)] };
    },
  });
};

export const repeatFamily: Family = { Expand: expand, Tile: tileRule };
