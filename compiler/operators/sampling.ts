/** Where along one dimension a resized output samples its input, and which tiles of it sample the very same places. */
import type { Span } from '../ir/region.ts';

/** How Resize turns an output position into an input coordinate, as far as tiles can follow. */
export type Coordinates = 'asymmetric' | 'half_pixel' | 'tf_half_pixel' | 'align_corners';

export type Interpolation =
  | { readonly kind: 'nearest'; readonly round: 'floor' | 'ceil' | 'half-down' | 'half-up' }
  /** `reach`: input elements left and right of the coordinate that weigh in. */
  | { readonly kind: 'smooth'; readonly reach: number };

/**
 * One resized dimension: output positions `k * p` sample `k * q`, so a tile that begins there samples what the whole does.
 * `scale` is what onnxruntime divides by; null where only the sizes count (align_corners).
 */
export interface Sampling {
  readonly input: number;
  readonly output: number;
  readonly p: number;
  readonly q: number;
  readonly coordinates: Coordinates;
  readonly interpolation: Interpolation;
  /** The model gives the scale, not the size. */
  readonly scale: number | null;
}

/** What a span reads, how much the tile yields, and what of that is kept. */
export interface SamplingTile {
  readonly read: Span;
  readonly yields: number;
  readonly keep: Span;
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** `p/q` in lowest terms, or undefined: the float stands for no fraction with a denominator within the input. */
export function fraction(input: number, output: number, scale: number | null): [p: number, q: number] | undefined {
  const byShape = gcd(input, output);
  if (scale === null || Math.fround(output / input) === scale) return [output / byShape, input / byShape];
  for (let q = 1; q <= input; q *= 2) if (Number.isInteger(scale * q)) return [scale * q, q];
  return undefined;
}

/** Input coordinate of output `x`, as a fraction over `2 * p`; exact while below 2^53. */
function numerator({ coordinates, p, q }: Sampling, x: number): number {
  switch (coordinates) {
    case 'asymmetric':
    case 'align_corners':
      return 2 * x * q;
    case 'half_pixel':
      return (2 * x + 1) * q - p;
    case 'tf_half_pixel':
      return (2 * x + 1) * q;
    default:
      return coordinates satisfies never;
  }
}

/** First and last input element that weigh in at output `x`, before clamping to the input. */
function elementsAt(sampling: Sampling, x: number): [first: number, last: number] {
  const over = numerator(sampling, x);
  const [unit, { interpolation }] = [2 * sampling.p, sampling];
  if (interpolation.kind === 'smooth') {
    const { reach } = interpolation;
    return [Math.floor(over / unit - reach) + 1, Math.ceil(over / unit + reach) - 1];
  }
  const index = {
    floor: () => Math.floor(over / unit),
    ceil: () => Math.ceil(over / unit),
    'half-down': () => Math.ceil((over - sampling.p) / unit),
    'half-up': () => Math.floor((over + sampling.p) / unit),
  }[interpolation.round]();
  return [index, index];
}

/**
 * Why tiles could pick another nearest element than the whole: onnxruntime computes coordinates in float32, so where one falls
 * exactly between two elements it must be exact in both, and elsewhere far enough from between.
 */
export function nearestDoubt(sampling: Sampling): string | undefined {
  const { interpolation, p, q, input, coordinates } = sampling;
  if (interpolation.kind !== 'nearest') return undefined;
  if (input * p >= 2 ** 20) return 'float32 cannot tell its nearest elements apart';
  if (coordinates === 'align_corners' || (q & (q - 1)) === 0) return undefined;
  const between = interpolation.round === 'floor' || interpolation.round === 'ceil' ? 0 : p;
  for (let x = 0; x < p; x++) {
    const rest = numerator(sampling, x) % (2 * p);
    if (rest === between || rest === between - 2 * p) return `a scale of ${p}/${q} rounds differently in a part`;
  }
  return undefined;
}

/** Extent of a tile that reads `size` elements. */
export function extentOf({ coordinates, p, q, scale }: Sampling, size: number): number {
  if (coordinates === 'align_corners') return ((size - 1) / q) * p + 1;
  return scale === null ? (size / q) * p : Math.floor(Math.fround(scale * size));
}

/** Whether a tile that begins at any meeting place and reads up to the end yields all the rest, in float32 too. */
export function reachesEnd(sampling: Sampling): boolean {
  const { input, output, p, q } = sampling;
  for (let k = 0; k * q < input; k++) if (extentOf(sampling, input - k * q) !== output - k * p) return false;
  return true;
}

/** The tile of this span: begins where input and output positions meet, reads until it yields enough. */
export function samplingTile(sampling: Sampling, [begin, end]: Span): SamplingTile {
  const { input, output, p, q, coordinates, scale } = sampling;
  if (begin === 0 && end === output) return { read: [0, input], yields: output, keep: [0, output] };
  const first = elementsAt(sampling, begin)[0];
  const last = elementsAt(sampling, end - 1)[1];
  const from = Math.floor(Math.min(Math.max(first, 0), input - 1) / q) * q;
  const skipped = (from / q) * p;
  const corner = coordinates === 'align_corners' ? 1 : 0;
  const unit = scale === null || corner ? q : 1;
  let size = corner + Math.ceil(Math.max(1, last + 1 - from - corner) / unit) * unit;
  while (from + size < input && extentOf(sampling, size) < Math.max(2, end - skipped)) size += unit;
  if (from + size > input) size = input - from;
  return { read: [from, from + size], yields: extentOf(sampling, size), keep: [begin - skipped, end - skipped] };
}
