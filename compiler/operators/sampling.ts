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

const isPowerOfTwo = (n: number) => (n & (n - 1)) === 0;

/**
 * Why tiles could differ from the whole: onnxruntime computes coordinates in float32. They are exact where scale and quotient
 * are; elsewhere their rounding moves a smooth sample by a little, a nearest one that falls between two elements by a whole one.
 */
export function doubt(sampling: Sampling): string | undefined {
  const { interpolation, p, q, input, coordinates } = sampling;
  const exactScale = coordinates === 'align_corners' || isPowerOfTwo(q);
  if (interpolation.kind === 'smooth') {
    const exact = exactScale && isPowerOfTwo(p);
    return exact || 2 * input * 2 ** -24 <= 1e-5 ? undefined : `coordinates up to ${input} round differently in a part`;
  }
  if (input * p >= 2 ** 20) return 'float32 cannot tell its nearest elements apart';
  if (exactScale) return undefined;
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

/**
 * The tile of this span: begins where input and output positions meet, reads until it yields enough. It never yields as much
 * as it reads: onnxruntime copies a tensor whose size does not change, whatever the scale. Nor a single element, for which
 * some modes have a formula of its own.
 */
export function samplingTile(sampling: Sampling, [begin, end]: Span): SamplingTile {
  const { input, output, p, q } = sampling;
  if (begin === 0 && end === output) return { read: [0, input], yields: output, keep: [0, output] };
  const first = Math.min(Math.max(elementsAt(sampling, begin)[0], 0), input - 1);
  const last = elementsAt(sampling, end - 1)[1];
  for (let meeting = Math.min(Math.floor(first / q), Math.floor(begin / p)); ; meeting--) {
    const [from, skipped] = [meeting * q, meeting * p];
    const size = sizeRead(sampling, from, last, end - skipped);
    const yields = extentOf(sampling, size);
    if ((yields === size || yields === 1) && meeting > 0) continue;
    return { read: [from, from + size], yields, keep: [begin - skipped, end - skipped] };
  }
}

/** How much a tile that begins at `from` reads, so that it has element `last` and yields `wanted`. */
function sizeRead(sampling: Sampling, from: number, last: number, wanted: number): number {
  const { input, q, coordinates, scale } = sampling;
  const corner = coordinates === 'align_corners' ? 1 : 0;
  const unit = scale === null || corner ? q : 1;
  const most = input - from;
  let size = Math.min(most, corner + Math.ceil(Math.max(1, last + 1 - from - corner) / unit) * unit);
  const enough = (yields: number) => yields >= Math.max(2, wanted) && yields !== size;
  while (size < most && !enough(extentOf(sampling, size))) size = Math.min(most, size + unit);
  return size;
}
