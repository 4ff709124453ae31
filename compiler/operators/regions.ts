/** Regions of interest, grids and crops: free by box, by channel and by batch. */
import { length, type Span } from '../ir/region.ts';
import { INDEXED } from './gather.ts';
import { axisLetters, byLetters, type Family, fromFront, int64, ints, type Rule, wholeAt } from './rule.ts';

const BOX = 'one box';
const BINS = 'a box is divided as a whole';

/** Picture [n,c,y,x], boxes [r,4] with each one's picture [r], or [r,5] with it in front → [r,c,h,w]. */
const boxes: Rule = (node) =>
  byLetters(node, {
    inputs: ['ncyx', node.inputs[2] ? 'r4' : 'r5', ...(node.inputs[2] ? ['r'] : [])],
    outputs: ['rchw'],
    whole: { ...wholeAt('nyx', [0, 1, 2], INDEXED), '4': BOX, '5': BOX, ...wholeAt('hw', [0, 1], BINS) },
    few: 'nyx45',
  });

/** One grid a matrix: the tile asks for fewer. Of the size asked for, N, C, [D,] H, W, the output has all but the channels. */
const affineGrid: Rule = (node) => {
  const output = node.outputs[0]!.shape;
  const letters = output.length === 4 ? 'nhwp' : 'ndhwp';
  return byLetters(node, {
    inputs: ['nij', '*'],
    outputs: [letters],
    whole: {
      ...wholeAt('ij', [0, 1], 'one matrix'),
      p: 'one place has several coordinates',
      ...wholeAt('dhw', [0, 1, 2], 'a grid spans the whole picture'),
    },
    adjust: (tile, { n }) => ({ inputs: [tile.inputs[0]!, int64([length(n!), 1, ...output.slice(1, -1)])] }),
  });
};

/** A tile of what is cropped reads just that; what is padded is whole. */
const centerCropPad: Rule = (node) => {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(input.length);
  const axes = (ints(node, 'axes') ?? input.map((_, i) => i)).map((axis) => fromFront(axis, input.length));
  const padded = axes.filter((i) => input[i]! < output[i]!);
  const read = (i: number) => {
    const skipped = Math.floor((input[i]! - output[i]!) / 2);
    return ([begin, end]: Span): Span => (padded.includes(i) ? [0, input[i]!] : [skipped + begin, skipped + end]);
  };
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    whole: wholeAt(letters, padded, 'it is padded around its middle'),
    windows: Object.fromEntries(axes.map((i) => [letters[i]!, read(i)])),
    adjust: (tile, spans) => ({ inputs: [tile.inputs[0]!, int64(axes.map((i) => length(spans[letters[i]!]!)))] }),
  });
};

export const regionFamily: Family = {
  AffineGrid: affineGrid,
  CenterCropPad: centerCropPad,
  MaxRoiPool: boxes,
  RoiAlign: boxes,
};
