/** Operators of com.microsoft that move, pick or sample elements. */
import type { Span } from '../ir/region.ts';
import { channelsLast } from './channels-last.ts';
import { gatherND, gridSample, INDEXED } from './gather.ts';
import { pad } from './pad.ts';
import { pool } from './pool.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  freshLetters,
  fromFront,
  int,
  type Rule,
  whole,
  wholeAt,
} from './rule.ts';
import { unsqueeze } from './shape.ts';
import { kernelLetters, spatialLetters } from './window.ts';

/** Rules that ask for the version of ONNX's own domain. */
const asOpset =
  (opset: number, rule: Rule): Rule =>
  (node) =>
    rule({ ...node, opset });

/** Windows of `size` elements along one dimension become a dimension of their own, the last. */
const unfold: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const at = fromFront(int(node, 'dim') ?? -1, rank);
  const [size, step] = [int(node, 'size')!, int(node, 'step') ?? 1];
  const letters = axisLetters(rank);
  const inside = freshLetters(1, letters);
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters + inside],
    ...(size > step ? { kinds: { [letters[at]!]: 'window' } } : {}),
    whole: { [inside]: 'one window' },
    windows: { [letters[at]!]: ([begin, end]): Span => [begin * step, (end - 1) * step + size] },
  });
};

/** Rows of a table quantized in blocks; the indices are free. */
const gatherQuantized: Rule = (node) => {
  const [data, indices, output] = [node.inputs[0]!.shape, node.inputs[1]!.shape, node.outputs[0]!.shape];
  const axis = fromFront(int(node, 'gather_axis') ?? 0, data.length);
  const letters = axisLetters(output.length);
  const inner = letters.slice(axis, axis + indices.length);
  const rest = [...letters].filter((letter) => !inner.includes(letter));
  return byLetters(node, {
    inputs: ['*', inner, ...node.inputs.slice(2).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: Object.fromEntries(rest.map((letter) => [letter, 'quantized in blocks, packed in bytes'])),
  });
};

/** Picture [n,c,y,x], boxes [r,4], each box's picture [r] → [r,c,h,w]. */
const cropAndResize: Rule = (node) =>
  byLetters(node, {
    inputs: ['ncyx', 'r4', 'r', '*'],
    outputs: ['rchw'],
    whole: {
      ...wholeAt('nyx', [0, 1, 2], INDEXED),
      '4': 'one box',
      ...wholeAt('hw', [0, 1], 'the sizes are an input, boxes are scaled to them as a whole'),
    },
    few: 'nyx4',
  });

/** The mask of the first channels is used for all: a picture of the batch is on its own, parts of it are not. */
const maskedPool: Rule = (node) => {
  const spatial = spatialLetters(node.inputs[0]!.shape.length - 2);
  const kernel = kernelLetters(spatial.length);
  const letters = `c${spatial}${kernel}`;
  return byLetters(node, {
    inputs: [`nc${kernel}`, '*'],
    outputs: [`nc${spatial}`],
    whole: wholeAt(letters, [...letters].keys(), 'the mask is laid over the whole picture'),
  });
};

/** Rows are cropped by a padding that is an input: only batch and channels are cut, the input's as a sum. */
const dynamicConvTranspose: Rule = (node) => {
  if ((int(node, 'group') ?? 1) > 1) return whole('its padding is an input, and channels are cut between groups only');
  const spatial = spatialLetters(node.inputs[0]!.shape.length - 2);
  const kernel = kernelLetters(spatial.length);
  const from = freshLetters(spatial.length, `nco${spatial}${kernel}`);
  const inputs = [`nc${from}`, `co${kernel}`, '*', 'o'];
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: [`no${spatial}`],
    kinds: { c: 'reduce' },
    combine: 'sum',
    whole: {
      ...wholeAt(kernel, [...kernel].keys(), 'every output needs the whole kernel'),
      ...wholeAt(spatial + from, [...spatial, ...from].keys(), 'its padding is an input'),
    },
    few: from,
    adjust: (tile, { c }) => (c![0] > 0 ? { inputs: tile.inputs.slice(0, 3) } : tile),
  });
};

export const movingOfMicrosoftFamily: Family = {
  ConvTransposeWithDynamicPads: dynamicConvTranspose,
  CropAndResize: cropAndResize,
  ExpandDims: unsqueeze,
  GatherBlockQuantized: gatherQuantized,
  GatherND: gatherND,
  GridSample: gridSample,
  MaxpoolWithMask: maskedPool,
  NhwcMaxPool: channelsLast(pool),
  Pad: asOpset(13, pad),
  UnfoldTensor: unfold,
};
