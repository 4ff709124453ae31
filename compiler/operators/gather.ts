/** Taking elements by index: the dimensions of the indices are free, the one indexed is read whole. */
import type { Span } from '../ir/region.ts';
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

export const INDEXED = 'any of it may be indexed';

/** `data[.., indices, ..]`. */
const gather: Rule = (node) => {
  const [data, indices, output] = [node.inputs[0]!.shape, node.inputs[1]!.shape, node.outputs[0]!.shape];
  const axis = fromFront(int(node, 'axis') ?? 0, data.length);
  const letters = axisLetters(output.length);
  const [before, inner] = [letters.slice(0, axis), letters.slice(axis, axis + indices.length)];
  const after = letters.slice(axis + indices.length);
  const indexed = freshLetters(1, letters);
  // Where the rows it takes are of several texts, onnxruntime 1.30 copies the first of each.
  const torn =
    node.inputs[0]!.tensor.dtype === 'string'
      ? wholeAt(after, [...after].keys(), 'onnxruntime takes texts row by row')
      : {};
  return byLetters(node, {
    inputs: [before + indexed + after, inner],
    outputs: [letters],
    whole: { [indexed]: INDEXED, ...torn },
    few: indexed,
  });
};

/** Slices along the axis are kept or not; without an axis the tensor is one list. */
const compress: Rule = (node) => {
  const given = int(node, 'axis');
  if (given === undefined) return whole('its output is a list whose length the data decides');
  const { shape } = node.inputs[0]!;
  const axis = fromFront(given, shape.length);
  const letters = axisLetters(shape.length);
  return byLetters(node, {
    inputs: [letters, '*'],
    outputs: [letters],
    whole: wholeAt(letters, [axis], 'the data decide what of it is kept'),
    windows: { [letters[axis]!]: () => [0, shape[axis]!] },
  });
};

/** Indices and output have one shape; along other dimensions than the axis the data may be longer. */
const gatherElements: Rule = (node) => {
  const data = node.inputs[0]!.shape;
  const axis = fromFront(int(node, 'axis') ?? 0, data.length);
  const letters = axisLetters(data.length);
  return byLetters(node, {
    inputs: [letters, letters],
    outputs: [letters],
    windows: Object.fromEntries(
      [...letters].map((letter, i) => [
        letter,
        (span: Span, input: number): Span => (i === axis && input === 0 ? [0, data[axis]!] : span),
      ]),
    ),
  });
};

/** `indices: [batch.., free.., k]`, `data: [batch.., indexed k.., rest..]` → `[batch.., free.., rest..]`. */
export const gatherND: Rule = (node) => {
  const [indices, output] = [node.inputs[1]!.shape, node.outputs[0]!.shape];
  const batch = int(node, 'batch_dims') ?? 0;
  const depth = indices.at(-1)!;
  const letters = axisLetters(output.length);
  const indexed = freshLetters(depth + 1, letters);
  const lead = letters.slice(0, indices.length - 1);
  return byLetters(node, {
    inputs: [lead.slice(0, batch) + indexed.slice(0, depth) + letters.slice(lead.length), lead + indexed[depth]!],
    outputs: [letters],
    whole: { ...wholeAt(indexed, Array(depth).keys(), INDEXED), [indexed[depth]!]: 'one index has several parts' },
    few: indexed,
  });
};

/** The dimension that is added is whole. */
const oneHot: Rule = (node) => {
  const rank = node.outputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? -1, rank);
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters.slice(0, axis) + letters.slice(axis + 1), '*', '*'],
    outputs: [letters],
    whole: wholeAt(letters, [axis], 'its positions are the values that the indices name'),
  });
};

/** Bilinear samples at given places: any place of the picture may be asked for. */
export const gridSample: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length - 2;
  if (rank > 3) return whole(`sampling ${rank} dimensions is not split`);
  const [from, to] = ['zyx'.slice(3 - rank), 'dhw'.slice(3 - rank)];
  return byLetters(node, {
    inputs: [`nc${from}`, `n${to}p`],
    outputs: [`nc${to}`],
    whole: { ...wholeAt(from, [...from].keys(), INDEXED), p: 'one place has several coordinates' },
    few: `${from}p`,
  });
};

export const gatherFamily: Family = {
  Compress: compress,
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  GridSample: gridSample,
  OneHot: oneHot,
};
