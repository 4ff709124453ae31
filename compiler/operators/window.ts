/** Sliding windows along one dimension: what convolutions and poolings read, and the padding a tile of them needs. */
import type { Attributes } from '../ir/program.ts';
import type { Region, Span } from '../ir/region.ts';
import { changes, int, ints, type Node, string, type Whole, whole } from './rule.ts';

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
export const overlaps = (slide: Pick<Slide, 'kernel' | 'dilation' | 'stride'>): boolean => reach(slide) > slide.stride;

/**
 * The tile of `slide` that yields `span`. Padding only where the tile touches a true border. Windows that see nothing but
 * padding still need an input element to run on: then the nearest one is read and `keep` is less than what the tile yields.
 */
export function slideTile(slide: Slide, [first, last]: Span): SlideTile {
  const { input, stride, padBegin, padEnd } = slide;
  const from = first * stride - padBegin;
  // What lies between two windows, or behind the last one, is read too: leaving it out would cost a copy of all the rest.
  const unseen = last === slide.output ? input + Math.min(0, padEnd) : Math.min(input, last * stride - padBegin);
  const to = Math.max((last - 1) * stride - padBegin + reach(slide), unseen);
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

/** Padding of one dimension: given, none, or what the asked size needs, the odd element before (LOWER) or after (UPPER). */
function padsOf(node: Node, i: number, slide: Omit<Slide, 'padBegin' | 'padEnd'>): [begin: number, end: number] {
  const auto = string(node, 'auto_pad') ?? 'NOTSET';
  if (auto === 'VALID') return [0, 0];
  if (!auto.startsWith('SAME')) {
    const pads = ints(node, 'pads') ?? [];
    return [pads[i] ?? 0, pads[i + pads.length / 2] ?? 0];
  }
  const total = (Math.ceil(slide.input / slide.stride) - 1) * slide.stride + reach(slide) - slide.input;
  const small = Math.floor(total / 2);
  return auto === 'SAME_LOWER' ? [total - small, small] : [small, total - small];
}

/** The spatial dimensions of a convolution or pooling, or why they are not understood. */
export function slidesOf(
  node: Node,
  shapes: { readonly input: readonly number[]; readonly output: readonly number[]; readonly kernel: readonly number[] },
): readonly Slide[] | Whole {
  const [strides, dilations] = [ints(node, 'strides'), ints(node, 'dilations')];
  const slides = shapes.input.map((input, i): Slide => {
    const [kernel, stride, dilation] = [shapes.kernel[i]!, strides?.[i] ?? 1, dilations?.[i] ?? 1];
    const slide = { input, output: shapes.output[i]!, kernel, stride, dilation };
    const [padBegin, padEnd] = padsOf(node, i, slide);
    return { ...slide, padBegin, padEnd };
  });
  if (slides.some((slide) => slide.padBegin + slide.padEnd < 0)) return whole('its padding takes input away');
  const ceil = int(node, 'ceil_mode') === 1;
  const understood = slides.every((slide) => slide.output === outputSize(slide, ceil));
  return understood ? slides : whole('its output has another size than its attributes say');
}

/** How many windows fit; with `ceil` also one that overhangs, if it begins inside the input or the padding before it. */
function outputSize(slide: Slide, ceil: boolean): number {
  const room = slide.input + slide.padBegin + slide.padEnd - reach(slide);
  if (!ceil) return Math.floor(room / slide.stride) + 1;
  const windows = Math.ceil(room / slide.stride) + 1;
  return (windows - 1) * slide.stride >= slide.input + slide.padBegin ? windows - 1 : windows;
}
