/** Parts of dense arrays, and comparison. */
import type { Combine } from '../../compiler/ir/program.ts';
import { count, length, type Region } from '../../compiler/ir/region.ts';
import { blank, type Dense, elements } from '../../compiler/operators/examples/dense.ts';
import type { DType } from '../../runtime/dtype.ts';

/** Calls `visit` with the flat index, in an array of this shape, of every element of the region, in row-major order. */
function visitRegion(shape: readonly number[], region: Region, visit: (index: number) => void): void {
  const strides = shape.map((_, i) => elements(shape.slice(i + 1)));
  const descend = (dimension: number, base: number): void => {
    const span = region[dimension];
    if (!span) visit(base);
    else for (let i = span[0]; i < span[1]; i++) descend(dimension + 1, base + i * strides[dimension]!);
  };
  descend(0, 0);
}

export function part(array: Dense, region: Region): Dense {
  const data = blank(array.dtype, count(region));
  let next = 0;
  visitRegion(array.shape, region, (index) => {
    data[next++] = array.data[index]!;
  });
  return { dtype: array.dtype, shape: region.map(length), data };
}

export const combined: Readonly<Record<Combine, (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  prod: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
};

export const largestOf = (values: readonly number[]): number =>
  values.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0);

/**
 * Index of the first element that is not what it should be; integers exact, floats within 1e-5 relative.
 * @param largest magnitude in the output, or of what was added up: what cancels out leaves its rounding behind
 */
export function firstDifference(
  is: readonly number[],
  should: readonly number[],
  dtype: DType,
  largest: number,
): number {
  if (!dtype.startsWith('float')) return is.findIndex((value, i) => value !== should[i]);
  const [relative, absolute] = dtype === 'float16' ? [2e-3, 1e-3 * largest] : [1e-5, 1e-5 * largest];
  return is.findIndex((value, i) => {
    const wanted = should[i]!;
    if (Object.is(value, wanted) || value === wanted || (Number.isNaN(value) && Number.isNaN(wanted))) return false;
    // An infinite difference is within any share of an infinite value.
    if (!Number.isFinite(wanted)) return true;
    return !(Math.abs(value - wanted) <= relative * Math.abs(wanted) + absolute);
  });
}
