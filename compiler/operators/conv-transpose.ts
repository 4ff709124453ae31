/** Transposed convolution: batch, output channels, rows and columns are cut; the tile's own padding crops it. */
import type { Attributes } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import {
  byLetters,
  changes,
  type Family,
  int,
  ints,
  type LetterSpec,
  type Node,
  type Rule,
  string,
  type Tile,
  whole,
  wholeAt,
} from './rule.ts';
import { kernelLetters, overlaps, reach, spatialLetters } from './window.ts';

/** One spatial dimension: input element i adds to the outputs `i * stride + k * dilation - padBegin`. */
export interface Spread {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBegin: number;
}

export interface SpreadTile {
  readonly read: Span;
  /** Taken off the tile's output at both ends. */
  readonly pads: readonly [begin: number, end: number];
  /** Outputs beyond the last that the read inputs reach: nothing but bias. */
  readonly outputPadding: number;
}

export function spreadTile(spread: Spread, [begin, end]: Span): SpreadTile {
  const { input, stride, padBegin } = spread;
  const [from, to] = [begin + padBegin, end + padBegin];
  // The first input that still reaches `from`, or, in the gaps of a kernel shorter than the stride, the last before it.
  const firstReaching = Math.ceil((from - reach(spread) + 1) / stride);
  const first = Math.min(Math.max(0, Math.min(firstReaching, Math.floor(from / stride))), input - 1);
  const last = Math.min(Math.max(first, Math.floor((to - 1) / stride)), input - 1);
  const reached = last * stride + reach(spread);
  return {
    read: [first, last + 1],
    pads: [from - first * stride, Math.max(0, reached - to)],
    outputPadding: Math.max(0, to - reached),
  };
}

/** undefined where the output is larger than all input elements reach together. */
function spreadsOf(node: Node): Spread[] | undefined {
  const [x, w, y] = [node.inputs[0]!.shape, node.inputs[1]!.shape, node.outputs[0]!.shape];
  const list = (name: string, preset: number) => ints(node, name) ?? x.slice(2).map(() => preset);
  const kernel = ints(node, 'kernel_shape') ?? w.slice(2);
  const [strides, dilations, extra] = [list('strides', 1), list('dilations', 1), list('output_padding', 0)];
  const totals: number[] = [];
  const spreads = x.slice(2).map((input, i): Spread => {
    const [stride, dilation, output] = [strides[i]!, dilations[i]!, y[i + 2]!];
    const full = (input - 1) * stride + reach({ kernel: kernel[i]!, dilation }) + extra[i]!;
    totals.push(full - output);
    return { input, output, kernel: kernel[i]!, stride, dilation, padBegin: padBegin(node, i, full - output) };
  });
  return totals.every((total) => total >= 0) || !sizesAsked(node) ? spreads : undefined;
}

const sizesAsked = (node: Node) =>
  ints(node, 'output_shape') !== undefined || (string(node, 'auto_pad') ?? 'NOTSET').startsWith('SAME');

/** Given, or the first half of what the asked size takes off: the smaller one with SAME_UPPER. */
function padBegin(node: Node, dimension: number, total: number): number {
  if (!sizesAsked(node)) return string(node, 'auto_pad') === 'VALID' ? 0 : (ints(node, 'pads')?.[dimension] ?? 0);
  return string(node, 'auto_pad') === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
}

/** The letters of channels: without groups the input's are summed, with them they follow the output's. */
function channelSpec(
  node: Node,
  group: number,
  h: string,
  y: string,
): Pick<LetterSpec, 'inputs' | 'steps' | 'windows'> {
  const inputs = (x: string, w: string) => [x, w, ...(node.inputs[2] ? ['o'] : [])];
  if (group === 1) return { inputs: inputs(`nc${h}`, `co${y}`) };
  const [read, made] = [node.inputs[0]!.shape[1]! / group, node.inputs[1]!.shape[1]!];
  return {
    inputs: inputs(`no${h}`, `oi${y}`),
    steps: { o: made },
    windows: { o: ([begin, end], i) => (i === 2 ? [begin, end] : [(begin / made) * read, (end / made) * read]) },
  };
}

/** A size that is asked for is asked of the tile as all it yields, and cropped; otherwise the padding crops. */
function spatialAttributes(node: Node, tiles: readonly SpreadTile[], spreads: readonly Spread[]): Attributes {
  const paddings = tiles.map((tile) => tile.outputPadding);
  const outputPadding: Attributes =
    node.attributes.output_padding || paddings.some((padding) => padding > 0)
      ? { output_padding: { kind: 'ints', value: paddings } }
      : {};
  const auto: Attributes = node.attributes.auto_pad ? { auto_pad: { kind: 'string', value: 'NOTSET' } } : {};
  if (node.attributes.output_shape) {
    const value = tiles.map((tile, i) => yieldOf(tile, spreads[i]!));
    return { ...outputPadding, ...auto, output_shape: { kind: 'ints', value } };
  }
  const pads = [...tiles.map((tile) => tile.pads[0]), ...tiles.map((tile) => tile.pads[1])];
  return { ...outputPadding, ...auto, pads: { kind: 'ints', value: pads } };
}

const yieldOf = (tile: SpreadTile, spread: Spread) =>
  (length(tile.read) - 1) * spread.stride + reach(spread) + tile.outputPadding;

const convTranspose: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length - 2;
  if (rank < 1 || rank > 3) return whole(`a convolution over ${rank} dimensions is not split`);
  const spreads = spreadsOf(node);
  if (!spreads) return whole('its output is larger than its input reaches');
  const [h, y, group] = [spatialLetters(rank), kernelLetters(rank), int(node, 'group') ?? 1];
  const { inputs, steps, windows } = channelSpec(node, group, h, y);
  const kinds = spreads.map((spread, i) => [h[i]!, overlaps(spread) ? 'window' : 'free'] as const);
  return byLetters(node, {
    inputs,
    outputs: [`no${h}`],
    kinds: { ...Object.fromEntries(kinds), ...(group === 1 ? { c: 'reduce' } : {}) },
    whole: {
      ...wholeAt(y, [...y].keys(), 'every output needs the whole kernel'),
      ...(group === 1 ? {} : { i: 'it is cut between groups' }),
    },
    windows: {
      ...windows,
      ...Object.fromEntries(spreads.map((spread, i) => [h[i]!, (span: Span) => spreadTile(spread, span).read])),
    },
    ...(steps ? { steps } : {}),
    ...(group === 1 ? { combine: 'sum' } : {}),
    // Every input element meets the kernels of its group's output channels.
    operations: [...node.inputs[0]!.shape, ...node.inputs[1]!.shape.slice(1)].reduce((all, size) => all * size, 1),
    adjust: (tile, spans): Tile => {
      const tiles = spreads.map((spread, i) => spreadTile(spread, spans[h[i]!]!));
      const groups: Attributes = steps ? { group: { kind: 'int', value: length(spans.o!) / steps.o! } } : {};
      const crop = [spans.n!, spans.o!].map((span): Span => [0, length(span)]);
      return {
        inputs: group === 1 && spans.c![0] > 0 ? tile.inputs.slice(0, 2) : tile.inputs,
        attributes: changes(node, { ...groups, ...spatialAttributes(node, tiles, spreads) }),
        ...(node.attributes.output_shape
          ? {
              crop: [
                ...crop,
                ...tiles.map(({ pads }, i): Span => [pads[0], yieldOf(tiles[i]!, spreads[i]!) - pads[1]]),
              ],
            }
          : {}),
      };
    },
  });
};

export const convTransposeFamily: Family = { ConvTranspose: convTranspose };
