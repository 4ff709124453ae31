/** Convolutions: output channels and batch are free, rows and columns are windows, input channels a sum. */
import { length } from '../ir/region.ts';
import {
  byLetters,
  type Cut,
  changes,
  type Family,
  int,
  ints,
  isWhole,
  type Node,
  type Spans,
  type Tile,
  type Whole,
  whole,
} from './rule.ts';
import {
  kernelLetters,
  overlaps,
  type Slide,
  slideAttributes,
  slideCrop,
  slidesOf,
  slideTile,
  spatialLetters,
} from './window.ts';

/** Which inputs are what: quantized convolutions carry scales and zero points between them. */
interface Roles {
  readonly weight: number;
  readonly bias: number;
  /** Inputs with one element an output channel (or one element). */
  readonly perChannel: readonly number[];
  /** Whether partial sums over input channels may be added up. */
  readonly sums: boolean;
}

const conv =
  (roles: Roles) =>
  (node: Node): Cut | Whole => {
    const [x, w, y] = [node.inputs[0]!.shape, node.inputs[roles.weight]!.shape, node.outputs[0]!.shape];
    const rank = x.length - 2;
    if (rank < 1 || rank > 3) return whole(`a convolution over ${rank} dimensions is not split`);
    const group = int(node, 'group') ?? 1;
    const kernel = ints(node, 'kernel_shape') ?? w.slice(2);
    const slides = slidesOf(node, { input: x.slice(2), output: y.slice(2), kernel });
    if (isWhole(slides)) return slides;
    return spatialCut(node, roles, group, slides);
  };

function spatialCut(node: Node, roles: Roles, group: number, slides: readonly Slide[]): Cut {
  const [h, y] = [spatialLetters(slides.length), kernelLetters(slides.length)];
  const channels = group === 1 ? 'c' : 'o';
  const [inputsPerGroup, outputsPerGroup] = [
    node.inputs[0]!.shape[1]! / group,
    node.inputs[roles.weight]!.shape[0]! / group,
  ];
  const sums = group === 1 && roles.sums;
  const letters = node.inputs.map((input, i) => {
    if (!input) return null;
    if (i === 0) return `n${channels}${h}`;
    if (i === roles.weight) return `o${group === 1 ? 'c' : 'i'}${y}`;
    const perChannel = i === roles.bias || roles.perChannel.includes(i);
    return perChannel && input.shape.length === 1 ? 'o' : '*';
  });
  const tiles = (spans: Spans) => slides.map((slide, i) => slideTile(slide, spans[h[i]!]!));
  const windows = Object.fromEntries(
    slides.map((slide, i) => [h[i]!, (span: readonly [number, number]) => slideTile(slide, span).read]),
  );
  const groupChannels = ([begin, end]: readonly [number, number], input: number): [number, number] =>
    input === 0
      ? [(begin / outputsPerGroup) * inputsPerGroup, (end / outputsPerGroup) * inputsPerGroup]
      : node.inputs[input]!.shape[0] === 1 && input !== roles.weight
        ? [0, 1]
        : [begin, end];
  return byLetters(node, {
    inputs: letters,
    outputs: [`no${h}`],
    kinds: {
      ...Object.fromEntries(slides.flatMap((slide, i) => (overlaps(slide) ? [[h[i]!, 'window' as const]] : []))),
      ...(sums ? { c: 'reduce' } : {}),
    },
    whole: {
      ...Object.fromEntries([...y].map((letter) => [letter, 'every output needs the whole kernel'])),
      ...(group === 1 ? {} : { i: 'every output needs all channels of its group' }),
      ...(group === 1 && !sums ? { c: 'rounded sums cannot be added up' } : {}),
    },
    windows: { ...windows, ...(group === 1 ? {} : { o: groupChannels }) },
    ...(group === 1 ? {} : { steps: { o: outputsPerGroup } }),
    ...(sums ? { combine: 'sum' } : {}),
    adjust: (tile, spans): Tile => {
      const spatial = tiles(spans);
      const later = sums && spans.c![0] > 0;
      return {
        inputs: tile.inputs.map((input, i) => (i === roles.bias && later ? null : input)),
        attributes: {
          ...slideAttributes(node, spatial),
          ...(group === 1 ? {} : changes(node, { group: { kind: 'int', value: length(spans.o!) / outputsPerGroup } })),
        },
        ...slideCrop([length(spans.n!), length(spans.o!)], spatial),
      };
    },
  });
}

export const convFamily: Family = {
  Conv: conv({ weight: 1, bias: 2, perChannel: [], sums: true }),
};
