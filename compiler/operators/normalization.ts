/** Normalizations: free where the statistics are not taken, whole where they are. */
import { length, type Span } from '../ir/region.ts';
import { axisLetters, byLetters, type Family, fromFront, int, ints, type Rule, rightAligned, wholeAt } from './rule.ts';

export const STATISTICS = 'mean and variance are taken over it';
const positions = (rank: number) => [...Array(rank).keys()];

/**
 * In inference the statistics are inputs: every dimension is free. In training each channel has its own; further outputs are
 * the statistics. Before opset 9 `spatial=0` asks for one a feature, as many as an element of the batch has.
 */
const batchNormalization: Rule = (node) => {
  const old = node.opset < 7 && int(node, 'is_test') !== 1;
  const training = int(node, 'training_mode') === 1 || old || node.outputs.slice(1).some((output) => output !== null);
  const rank = node.inputs[0]!.shape.length;
  const letters = rank === 1 ? 'c' : axisLetters(rank);
  const perFeature = node.opset < 9 && int(node, 'spatial') === 0;
  const channel = rank === 1 ? 'c' : perFeature ? letters.slice(1) : letters[1]!;
  return byLetters(node, {
    inputs: [letters, channel, channel, channel, channel],
    outputs: node.outputs.map((output, i) => (output ? (i === 0 ? letters : channel) : null)),
    ...(training
      ? {
          whole: wholeAt(
            letters,
            positions(rank).filter((i) => letters[i] !== channel),
            STATISTICS,
          ),
        }
      : {}),
  });
};

const instanceNormalization: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters, letters[1]!, letters[1]!],
    outputs: [letters],
    whole: wholeAt(letters, positions(rank).slice(2), STATISTICS),
  });
};

/** Cut between groups of channels; before opset 21 scale and bias have one element a group, from then one a channel. */
const groupNormalization: Rule = (node) => {
  const shape = node.inputs[0]!.shape;
  const groups = int(node, 'num_groups')!;
  const perGroup = shape[1]! / groups;
  const letters = axisLetters(shape.length);
  const channel = letters[1]!;
  return byLetters(node, {
    inputs: [letters, channel, channel],
    outputs: [letters],
    whole: wholeAt(letters, positions(shape.length).slice(2), STATISTICS),
    steps: { [channel]: perGroup },
    windows: {
      [channel]: ([begin, end], input): Span =>
        input === 0 || node.opset >= 21 ? [begin, end] : [begin / perGroup, end / perGroup],
    },
    adjust: (tile, spans) => ({
      ...tile,
      attributes: { num_groups: { kind: 'int', value: length(spans[channel]!) / perGroup } },
    }),
  });
};

/** Also RMSNormalization: dimensions from the axis on are normalized together; mean and deviation have size 1 there. */
const layerNormalization: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = fromFront(int(node, 'axis') ?? -1, rank);
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: node.inputs.map((input) => (input ? rightAligned(letters, input.shape.length) : null)),
    outputs: node.outputs.map((output, i) =>
      output ? (i === 0 ? letters : letters.slice(0, axis) + '1'.repeat(rank - axis)) : null,
    ),
    whole: wholeAt(letters, positions(rank).slice(axis), STATISTICS),
  });
};

const lpNormalization: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters],
    whole: wholeAt(letters, [fromFront(int(node, 'axis') ?? -1, rank)], 'the norm is taken over it'),
  });
};

const meanVarianceNormalization: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  const axes = (ints(node, 'axes') ?? [0, 2, 3]).map((axis) => fromFront(axis, rank)).filter((axis) => axis < rank);
  return byLetters(node, { inputs: [letters], outputs: [letters], whole: wholeAt(letters, axes, STATISTICS) });
};

/** Channels are a window: a tile reads its neighbours, normalizes them too, and drops them. */
const localResponseNormalization: Rule = (node) => {
  const shape = node.inputs[0]!.shape;
  const size = int(node, 'size')!;
  const letters = axisLetters(shape.length);
  const channel = letters[1]!;
  const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  const read = ([begin, end]: Span): Span => [Math.max(0, begin - before), Math.min(shape[1]!, end + after)];
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters],
    ...(size > 1 ? { kinds: { [channel]: 'window' } } : {}),
    windows: { [channel]: read },
    adjust: (tile, spans) => {
      const [begin, end] = spans[channel]!;
      const [from, to] = read([begin, end]);
      if (from === begin && to === end) return tile;
      const crop = [...letters].map((letter): Span => [0, length(spans[letter]!)]);
      return { ...tile, crop: crop.map((span, i) => (i === 1 ? [begin - from, end - from] : span)) };
    },
  });
};

export const normalizationFamily: Family = {
  BatchNormalization: batchNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LayerNormalization: layerNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponseNormalization,
  MeanVarianceNormalization: meanVarianceNormalization,
  RMSNormalization: layerNormalization,
  SimplifiedLayerNormalization: layerNormalization,
};
