/** Dense arrays, and how an example's inputs are filled. */
import {
  arrayOver,
  bytesPerElement,
  type DType,
  type NumericArray,
  type NumericDType,
} from '../../../runtime/dtype.ts';
import type { Input } from './example.ts';

export interface Dense {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Texts are held by their numbers, see {@link textOf}: they are only moved and compared. */
  readonly data: NumericArray;
}

/** All texts met so far; random ones are among the first. */
const texts = ['zero', 'one', 'two', 'Three', 'four', '', 'ümlaut', 'a, "b"'];
const firstTexts = texts.length;
export const textOf = (number: number | bigint): string => texts[Number(number)]!;
export function numberOf(text: string): number {
  const known = texts.indexOf(text);
  return known >= 0 ? known : texts.push(text) - 1;
}

const heldAs = (dtype: DType): NumericDType => (dtype === 'string' ? 'uint32' : dtype);

/** An array for so many elements. */
export function blank(dtype: DType, length: number): NumericArray {
  const held = heldAs(dtype);
  return arrayOver(held, new Uint8Array(length * bytesPerElement(held)));
}

export const isBig = (dtype: DType): boolean => dtype === 'int64' || dtype === 'uint64';
export const elements = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);

export function dense(dtype: DType, shape: readonly number[], values: (index: number) => number): Dense {
  const data = blank(dtype, elements(shape));
  for (let i = 0; i < data.length; i++) data[i] = isBig(dtype) ? BigInt(values(i)) : values(i);
  return { dtype, shape, data };
}

/** A small seeded generator of numbers in [0, 1) (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const numbers = (array: Dense): number[] => {
  const values = Array.from<number | bigint, number>(array.data, Number);
  return array.dtype === 'float16' ? values.map(halfToNumber) : values;
};

function halfToNumber(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const DEFAULT_RANGE: Partial<Record<DType, readonly [number, number]>> = {
  bool: [0, 2],
  float32: [-1.5, 1.5],
  string: [0, firstTexts],
};

/** Half floats are filled by their bits: 0x3800 + n is a little above 0.5. */
export function fill(input: Input, random: () => number): Dense {
  const [low, high] = input.range ?? DEFAULT_RANGE[input.dtype] ?? [input.dtype.startsWith('u') ? 0 : -9, 10];
  const draw = () => low + random() * (high - low);
  const value = input.dtype.startsWith('float') ? draw : () => Math.floor(draw());
  return dense(input.dtype, input.shape, (i) => input.values?.[i] ?? value());
}
