/** Losses: free by sample where each has its own, a sum where they are added up. */
import { length } from '../ir/region.ts';
import { axisLetters, byLetters, type Family, int, type Rule, string, type Tile, wholeAt } from './rule.ts';

/** Scores [n,c,..], labels [n,..], a weight a class. Second output: the logarithms of the probabilities. */
const loss: Rule = (node) => {
  const letters = axisLetters(node.inputs[0]!.shape.length);
  const samples = letters[0]! + letters.slice(2);
  const reduction = string(node, 'reduction') ?? 'mean';
  const weighed = reduction === 'mean' && (node.inputs[2] || int(node, 'ignore_index') !== undefined);
  const reason = weighed
    ? 'the mean is weighed over all samples'
    : node.outputs[1] && reduction !== 'none'
      ? 'a part of the sum and a part of the logarithms cannot be told apart'
      : undefined;
  const sums = reduction !== 'none' && !reason;
  const total = samples.length;
  return byLetters(node, {
    inputs: [letters, samples, ...(node.inputs[2] ? [letters[1]!] : [])],
    outputs: node.outputs.map((output, i) =>
      output ? (i === 1 ? letters : reduction === 'none' ? samples : '') : null,
    ),
    whole: {
      [letters[1]!]: 'a sample’s loss needs the scores of all classes',
      ...(reason ? wholeAt(samples, Array(total).keys(), reason) : {}),
    },
    ...(sums
      ? {
          kinds: Object.fromEntries([...samples].map((letter) => [letter, 'reduce' as const])),
          combine: 'sum' as const,
        }
      : {}),
    adjust: (tile, spans): Tile => {
      if (!sums || reduction === 'sum') return tile;
      const labels = node.inputs[1]!.shape;
      const share = [...samples].reduce((all, letter, i) => (all * length(spans[letter]!)) / labels[i]!, 1);
      return share === 1 ? tile : { ...tile, scale: share };
    },
  });
};

export const lossFamily: Family = { NegativeLogLikelihoodLoss: loss, SoftmaxCrossEntropyLoss: loss };
