/** Operators that work along one dimension, where they run whole, and are free along all others. */
import {
  atRunTime,
  axisLetters,
  byLetters,
  type Family,
  freshLetters,
  fromFront,
  int,
  type Rule,
  wholeAt,
} from './rule.ts';

/** Sums and products up to each element; the axis is an input, and need not be known where there is but one dimension. */
const cumulative: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = rank === 1 ? 0 : node.inputs[1]?.constant?.[0];
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole:
      axis === undefined
        ? wholeAt(letters, [...letters].keys(), atRunTime('along which dimension it goes'))
        : wholeAt(letters, [fromFront(axis, rank)], 'each element depends on those before it'),
  });
};

/** ArgMax, ArgMin: the dimension goes, or stays with size 1. */
const argument: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? 0, rank);
  const letters = axisLetters(rank);
  const kept = (int(node, 'keepdims') ?? 1) === 1 ? '1' : '';
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters.slice(0, axis) + kept + letters.slice(axis + 1)],
    whole: wholeAt(letters, [axis], 'the place of an extreme is counted over it'),
  });
};

/** Both outputs have the k best along the axis; before opset 10 k is an attribute. */
const topK: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? -1, rank);
  const letters = axisLetters(rank);
  const best = letters.slice(0, axis) + freshLetters(1, letters) + letters.slice(axis + 1);
  const reason = 'the best are sought over it';
  return byLetters(node, {
    inputs: [letters, ...(node.inputs[1] ? ['*'] : [])],
    outputs: node.outputs.map((output) => (output ? best : null)),
    whole: { ...wholeAt(letters, [axis], reason), ...wholeAt(best, [axis], reason) },
    operations: node.inputs[0]!.shape.reduce((all, size) => all * size, 1),
  });
};

/** Each batch element is reversed over time on its own. */
const reverseSequence: Rule = (node) => {
  const letters = axisLetters(node.inputs[0]!.shape.length);
  const [batch, time] = [int(node, 'batch_axis') ?? 1, int(node, 'time_axis') ?? 0];
  return byLetters(node, {
    inputs: [letters, letters[batch]!],
    outputs: [letters],
    whole: wholeAt(letters, [time], 'each sequence is reversed up to its own length'),
  });
};

/** The last two dimensions are one matrix. */
const determinant: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters.slice(0, -2)],
    whole: wholeAt(letters, [rank - 2, rank - 1], 'a determinant needs the whole matrix'),
  });
};

export const alongFamily: Family = {
  ArgMax: argument,
  ArgMin: argument,
  CumProd: cumulative,
  CumSum: cumulative,
  Det: determinant,
  ReverseSequence: reverseSequence,
  TopK: topK,
};
