/** Compares tensors: equal within `rtol` of each element plus `atol` of the largest magnitude. */

import { fromHalf } from '../runtime/half.ts';
import type { Tensor } from '../runtime/program.ts';

export interface Tolerance {
  /** Of each expected element. */
  readonly rtol: number;
  /** Of the expected tensor's largest magnitude. */
  readonly atol: number;
  /** Absolute, on top; 0 if not given. */
  readonly noise?: number;
}
export const tolerance: Tolerance = { rtol: 1e-4, atol: 1e-5 };
/** Of models that compute in float16 (11 bits of a number) or bfloat16 (8 bits). */
export const halfTolerance: Tolerance = { rtol: 1e-2, atol: 5e-3 };

export interface Comparison {
  readonly name: string;
  readonly ok: boolean;
  /** Infinite where shape or dtype differ, or a number stands against none. */
  readonly maxAbs: number;
  /** Largest difference relative to the expected tensor's largest magnitude. */
  readonly maxRel: number;
  /** First element that differs too much, or what differs instead of an element. */
  readonly diverges?: string;
  /** How far onnxruntime's own answers lie apart with and without its optimisations; only where that was needed. */
  readonly noise?: number;
}

const numberAt = ({ type, data }: Tensor, i: number): number =>
  type === 'float16' ? fromHalf(Number(data[i])) : Number(data[i]);

/** `[0,3,1]` of a row-major offset. */
function indexOf(offset: number, dims: readonly number[]): string {
  const index: number[] = [];
  let rest = offset;
  for (const size of dims.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${index.join(',')}]`;
}

function compareStrings(name: string, actual: readonly string[], expected: readonly string[]): Comparison {
  const at = expected.findIndex((text, i) => text !== actual[i]);
  if (at < 0) return { name, ok: true, maxAbs: 0, maxRel: 0 };
  return {
    name,
    ok: false,
    maxAbs: Infinity,
    maxRel: Infinity,
    diverges: `element ${at}: "${actual[at]}", "${expected[at]}" expected`,
  };
}

export function compare(
  name: string,
  actual: Tensor | undefined,
  expected: Tensor,
  { rtol, atol, noise = 0 } = tolerance,
): Comparison {
  const wrong = (diverges: string): Comparison => ({ name, ok: false, maxAbs: Infinity, maxRel: Infinity, diverges });
  if (!actual) return wrong('missing');
  if (actual.type !== expected.type) return wrong(`dtype ${actual.type}, ${expected.type} expected`);
  if (actual.dims.join() !== expected.dims.join()) return wrong(`shape [${actual.dims}], [${expected.dims}] expected`);
  if (actual.type === 'string' && expected.type === 'string')
    return compareStrings(name, actual.data as string[], expected.data as string[]);
  const count = expected.data.length;
  let scale = 0;
  for (let i = 0; i < count; i++) {
    const magnitude = Math.abs(numberAt(expected, i));
    if (magnitude > scale && magnitude !== Infinity) scale = magnitude;
  }
  let maxAbs = 0;
  let first = -1;
  for (let i = 0; i < count; i++) {
    const a = numberAt(actual, i);
    const b = numberAt(expected, i);
    if (Object.is(a, b) || a === b) continue;
    const difference = Math.abs(a - b);
    // NaN compares false with everything: it must count as different.
    const within = difference <= rtol * Math.abs(b) + atol * scale + noise;
    if (!within && first < 0) first = i;
    maxAbs = Math.max(maxAbs, Number.isNaN(difference) ? Infinity : difference);
  }
  const maxRel = maxAbs === 0 ? 0 : maxAbs / (scale || 1);
  if (first < 0) return { name, ok: true, maxAbs, maxRel };
  const diverges = `${indexOf(first, expected.dims)}: ${numberAt(actual, first)}, ${numberAt(expected, first)} expected`;
  return { name, ok: false, maxAbs, maxRel, diverges };
}

/** For JSON, which has no infinity and would say null, which is less than any limit: the largest number instead. */
export const comparisonData = (comparison: Comparison): Comparison => ({
  ...comparison,
  maxAbs: Math.min(comparison.maxAbs, Number.MAX_VALUE),
  maxRel: Math.min(comparison.maxRel, Number.MAX_VALUE),
});
