/** Softmax and its relatives: every element depends on all others along the axis. */
import { axisLetters, byLetters, type Family, fromFront, int, type Rule, wholeAt } from './rule.ts';

/** Before opset 13 the axis parts the dimensions in two: all from it on are normalized together. */
const softmax: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? (node.opset < 13 ? 1 : -1), rank);
  const letters = axisLetters(rank);
  const together = node.opset < 13 ? [...Array(rank).keys()].slice(axis) : [axis];
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters],
    whole: wholeAt(letters, together, 'each element is weighed against all others along it'),
  });
};

export const softmaxFamily: Family = { Softmax: softmax, LogSoftmax: softmax, Hardmax: softmax };
