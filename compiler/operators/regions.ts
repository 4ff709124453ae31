/** Regions of interest, patches and deformed grids: free by box, by channel and by batch. */
import { length, type Span } from '../ir/region.ts';
import { INDEXED } from './gather.ts';
import { axisLetters, byLetters, type Family, fromFront, int, int64, ints, type Rule, whole, wholeAt } from './rule.ts';

const BOX = 'one box';
const BINS = 'a box is divided as a whole';

/** Picture [n,c,y,x], boxes [r,4] with each one's picture [r], or [r,5] with it in front → [r,c,h,w]. */
const boxes: Rule = (node) =>
  byLetters(node, {
    inputs: ['ncyx', node.inputs[2] ? 'r4' : 'r5', ...(node.inputs[2] ? ['r'] : [])],
    outputs: ['rchw'],
    whole: { ...wholeAt('nyx', [0, 1, 2], INDEXED), '4': BOX, '5': BOX, ...wholeAt('hw', [0, 1], BINS) },
  });

/** Columns of patches [n, c*k, l] are added into a picture [n,c,h,w]. */
const columnsToImage: Rule = (node) => {
  const spatial = node.outputs[0]!.shape.length - 2;
  const letters = axisLetters(spatial + 2);
  const [n, c] = [letters[0]!, letters[1]!];
  const kernel = node.inputs[0]!.shape[1]! / node.outputs[0]!.shape[1]!;
  return byLetters(node, {
    inputs: [`${n}${c}l`, '*', '*'],
    outputs: [letters],
    whole: {
      l: 'the patches lie anywhere',
      ...wholeAt(letters, [...letters].map((_, i) => i).slice(2), 'patches overlap'),
    },
    windows: { [c]: ([begin, end]): Span => [begin * kernel, end * kernel] },
  });
};

/** X [n,c,..], W [o,c,..], offsets and mask [n,..,h,w], bias [o]. */
const deformable: Rule = (node) => {
  const [groups, offsetGroups] = [int(node, 'group') ?? 1, int(node, 'offset_group') ?? 1];
  const inputs = ['ncyx', 'oizv', 'nmhw', 'o', 'nkhw'];
  const grouped = groups > 1;
  if (grouped) inputs[0] = 'ncyx';
  const sums = !grouped && offsetGroups === 1;
  if (!grouped) inputs[1] = 'oczv';
  const channels = 'an output needs the channels of its group, at the offsets of theirs';
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: ['nohw'],
    whole: {
      ...wholeAt('yx', [0, 1], 'an offset may lead anywhere'),
      ...wholeAt('zv', [0, 1], 'every output needs the whole kernel'),
      ...wholeAt('hw', [0, 1], 'offsets are counted from each place in the whole picture'),
      ...wholeAt('mk', [0, 1], 'one offset a kernel element'),
      ...(sums ? {} : wholeAt('ci', [0, 1], channels)),
      ...(grouped ? { o: channels } : {}),
    },
    ...(sums ? { kinds: { c: 'reduce' as const }, combine: 'sum' as const } : {}),
    adjust: (tile, spans) =>
      sums && spans.c![0] > 0 ? { inputs: tile.inputs.map((read, i) => (i === 3 ? null : read)) } : tile,
  });
};

/** One grid a matrix: the tile asks for fewer. */
const affineGrid: Rule = (node) => {
  const size = node.inputs[1]!.constant;
  if (!size) return whole('its size is computed');
  const letters = node.outputs[0]!.shape.length === 4 ? 'nhwp' : 'ndhwp';
  return byLetters(node, {
    inputs: ['nij', '*'],
    outputs: [letters],
    whole: {
      ...wholeAt('ij', [0, 1], 'one matrix'),
      p: 'one place has several coordinates',
      ...wholeAt('dhw', [0, 1, 2], 'a grid spans the whole picture'),
    },
    adjust: (tile, { n }) => ({ inputs: [tile.inputs[0]!, int64([length(n!), ...size.slice(1)])] }),
  });
};

/** The dimensions that are cropped or padded are whole, the others free. */
const centerCropPad: Rule = (node) => {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(input.length);
  const axes = (ints(node, 'axes') ?? input.map((_, i) => i)).map((axis) => fromFront(axis, input.length));
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    whole: wholeAt(letters, axes, 'it is cropped or padded around its middle'),
    windows: Object.fromEntries(
      axes.filter((i) => input[i] !== output[i]).map((i) => [letters[i]!, (): Span => [0, input[i]!]]),
    ),
  });
};

export const regionFamily: Family = {
  AffineGrid: affineGrid,
  CenterCropPad: centerCropPad,
  Col2Im: columnsToImage,
  DeformConv: deformable,
  MaxRoiPool: boxes,
  RoiAlign: boxes,
};
