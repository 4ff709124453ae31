/** Writing elements by index: free along the dimensions that no index names. */
import { INDEXED } from './gather.ts';
import { axisLetters, byLetters, type Family, freshLetters, fromFront, int, type Rule, wholeAt } from './rule.ts';

/** Along other dimensions than the axis, if the indices are as long there as the data. */
const scatterElements: Rule = (node) => {
  const [data, indices] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const axis = fromFront(int(node, 'axis') ?? 0, data.length);
  const letters = axisLetters(data.length);
  const shorter = [...data.keys()].filter((i) => i !== axis && data[i] !== indices[i]);
  const along = freshLetters(1 + shorter.length, letters);
  const own = [...letters]
    .map((letter, i) => (i === axis ? along[0]! : shorter.includes(i) ? along[1 + shorter.indexOf(i)]! : letter))
    .join('');
  return byLetters(node, {
    inputs: [letters, own, own],
    outputs: [letters],
    whole: {
      ...wholeAt(along, [...along].keys(), INDEXED),
      ...wholeAt(letters, [axis], INDEXED),
      ...wholeAt(letters, shorter, 'the indices cover only its beginning'),
    },
  });
};

/** `indices: [lead.., k]` name the first k dimensions of the data; `updates: [lead.., rest..]`. */
const scatterND: Rule = (node) => {
  const [data, indices] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const depth = indices.at(-1)!;
  const letters = axisLetters(data.length);
  const lead = freshLetters(indices.length, letters);
  return byLetters(node, {
    inputs: [letters, lead, lead.slice(0, -1) + letters.slice(depth)],
    outputs: [letters],
    whole: {
      ...wholeAt(lead, [...lead].keys(), 'any update may go anywhere'),
      ...wholeAt(letters, Array(depth).keys(), INDEXED),
    },
  });
};

/** Each batch element's update is written at its own place along the axis. */
const tensorScatter: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? -2, rank);
  const letters = axisLetters(rank);
  const update = letters.slice(0, axis) + freshLetters(1, letters) + letters.slice(axis + 1);
  return byLetters(node, {
    inputs: [letters, update, ...(node.inputs[2] ? [letters[0]!] : [])],
    outputs: [letters],
    whole: { ...wholeAt(letters, [axis], INDEXED), ...wholeAt(update, [axis], 'it is written at any place') },
  });
};

export const scatterFamily: Family = {
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
};
