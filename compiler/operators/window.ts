/** Sliding windows along one dimension: what convolutions and poolings read, and the padding a tile of them needs. */
import type { Attributes } from '../ir/program.ts';
import type { Region, Span } from '../ir/region.ts';
import { changes, int, ints, type Node, string } from './rule.ts';

/** One spatial dimension of a sliding window operator. Sizes and positions in elements. */
export interface Slide {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBegin: number;
  readonly padEnd: number;
}

/** What a span of the output reads, how the tile is padded, and what of the tile's own output is kept. */
export interface SlideTile {
  readonly read: Span;
  readonly pads: readonly [begin: number, end: number];
  /** The window reaches beyond input and padding: only ceil_mode computes it. */
  readonly overhangs: boolean;
  readonly yields: number;
  readonly keep: Span;
}

/** Elements from the first to the last that one window sees. */
export const reach = ({ kernel, dilation }: Pick<Slide, 'kernel' | 'dilation'>): number => (kernel - 1) * dilation + 1;

/** Windows that share no input element: neighbouring tiles need no halo. */
export const overlaps = (slide: Slide): boolean => reach(slide) > slide.stride;

/**
 * The tile of `slide` that yields `span`. Padding only where the tile touches a true border. Windows that see nothing but
 * padding still need an input element to run on: then the nearest one is read and `keep` is less than what the tile yields.
 */
export function slideTile(slide: Slide, [first, last]: Span): SlideTile {
  const { input, stride, padBegin, padEnd } = slide;
  const from = first * stride - padBegin;
  const to = (last - 1) * stride - padBegin + reach(slide);
  // Steps back so that the first window begins no later than the last element, steps on until the first element is reached.
  const before = Math.max(0, Math.ceil((from - (input - 1)) / stride));
  const after = Math.max(0, Math.ceil((1 - to) / stride));
  const begin = from - before * stride;
  const end = to + after * stride;
  const limit = after > 0 ? end : input + Math.max(0, padEnd);
  return {
    read: [Math.max(0, begin), Math.min(input, end)],
    pads: [Math.max(0, -begin), Math.max(0, Math.min(end, limit) - input)],
    overhangs: end > limit,
    yields: before + (last - first) + after,
    keep: [before, before + (last - first)],
  };
}

/** Names of 1 to 3 spatial dimensions, of data and of a kernel. */
export const spatialLetters = (rank: number): string => ['', 'w', 'hw', 'dhw'][rank]!;
export const kernelLetters = (rank: number): string => ['', 'x', 'yx', 'zyx'][rank]!;

/** The tile's own padding: whatever the operator's way of saying it, the tile says it in `pads`. */
export function slideAttributes(node: Node, tiles: readonly SlideTile[]): Attributes {
  return changes(node, {
    pads: { kind: 'ints', value: [...tiles.map((tile) => tile.pads[0]), ...tiles.map((tile) => tile.pads[1])] },
    ...(node.attributes.auto_pad ? { auto_pad: { kind: 'string', value: 'NOTSET' } } : {}),
  });
}

/** The part of the tile's output that is kept, if not all of it; `lead` are the extents before the spatial dimensions. */
export function slideCrop(lead: readonly number[], tiles: readonly SlideTile[]): { crop?: Region } {
  if (tiles.every((tile) => tile.keep[1] - tile.keep[0] === tile.yields)) return {};
  return { crop: [...lead.map((size): Span => [0, size]), ...tiles.map((tile) => tile.keep)] };
}

const perAxis = (node: Node, name: string, rank: number, preset: number) =>
  ints(node, name) ?? Array<number>(rank).fill(preset);

/** Total padding that `SAME_*` means; the effective kernel counts where the operator's definition says so. */
function samePads(lower: boolean, input: number, stride: number, extent: number): [number, number] {
  const total = (Math.ceil(input / stride) - 1) * stride + extent - input;
  const small = Math.trunc(total / 2);
  const big = total - small;
  return lower ? [big, small] : [small, big];
}

/**
 * The spatial dimensions of a convolution or pooling.
 * @param shapes sizes of the spatial dimensions
 * @returns undefined where the output's shape is not what the attributes say: then nothing is known about the padding
 */
export function slidesOf(
  node: Node,
  shapes: { readonly input: readonly number[]; readonly output: readonly number[]; readonly kernel: readonly number[] },
): Slide[] | undefined {
  const rank = shapes.input.length;
  const strides = perAxis(node, 'strides', rank, 1);
  const dilations = perAxis(node, 'dilations', rank, 1);
  const pads = perAxis(node, 'pads', 2 * rank, 0);
  const auto = string(node, 'auto_pad') ?? 'NOTSET';
  const slides = shapes.input.map((input, i): Slide => {
    const [kernel, stride, dilation] = [shapes.kernel[i]!, strides[i]!, dilations[i]!];
    const [padBegin, padEnd] =
      auto === 'NOTSET' || auto === ''
        ? [pads[i]!, pads[i + rank]!]
        : auto === 'VALID'
          ? [0, 0]
          : samePads(auto === 'SAME_LOWER', input, stride, reach({ kernel, dilation }));
    return { input, output: shapes.output[i]!, kernel, stride, dilation, padBegin, padEnd };
  });
  const ceil = int(node, 'ceil_mode') === 1;
  return slides.every((slide) => slide.output === outputSize(slide, ceil)) ? slides : undefined;
}

/** How many windows fit; with `ceil` also one that overhangs, if it begins inside the input or the padding before it. */
function outputSize(slide: Slide, ceil: boolean): number {
  const room = slide.input + slide.padBegin + slide.padEnd - reach(slide);
  if (!ceil) return Math.floor(room / slide.stride) + 1;
  const windows = Math.ceil(room / slide.stride) + 1;
  return (windows - 1) * slide.stride >= slide.input + slide.padBegin ? windows - 1 : windows;
}
