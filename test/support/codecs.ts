/** float16 and 8 bits by hand: what a number becomes that crosses so, as ONNX defines Cast and QuantizeLinear. */
import type { Region } from '../../compiler/ir/region.ts';
import type { Encoding } from '../../compiler/planning/plan.ts';
import type { Tensor } from '../../runtime/program.ts';

/** Nearest whole number; of two the even one. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** Nearest number of 11 bits from 2^-14 on, of fewer below. */
function throughHalf(x: number): number {
  if (x === 0 || !Number.isFinite(x)) return x;
  const unit = 2 ** (Math.max(-14, Math.floor(Math.log2(Math.abs(x)))) - 10);
  const rounded = roundEven(x / unit) * unit;
  return Math.abs(rounded) >= 65_536 ? Math.sign(x) * Number.POSITIVE_INFINITY : rounded;
}

/** Nearest of 256 numbers, of which 0 is one. */
function throughByte(x: number, min: number, max: number): number {
  const scale = Math.fround((Math.max(0, max) - Math.min(0, min)) / 255) || 1;
  const zero = Math.min(255, Math.round(-Math.min(0, min) / scale));
  const byte = Math.min(255, Math.max(0, roundEven(Math.fround(x / scale)) + zero));
  return Math.fround((byte - zero) * scale);
}

/** A float32 tensor, encoded and decoded. @param region of a tensor: which channels of it these are; all if left out */
export function throughWire(encoding: Encoding, { dims, data }: Tensor, region?: Region | null): Tensor {
  const coded = (code: (x: number, i: number) => number): Tensor => ({
    type: 'float32',
    dims,
    data: Float32Array.from(data as Float32Array, code),
  });
  if (encoding === 'float16') return coded(throughHalf);
  if ('int8' in encoding) return coded((x) => throughByte(x, ...encoding.int8));
  const { axis, ranges } = encoding.int8PerChannel;
  const inner = dims.slice(axis + 1).reduce((product, size) => product * size, 1);
  const first = region?.[axis]?.[0] ?? 0;
  return coded((x, i) => throughByte(x, ...ranges[first + (Math.floor(i / inner) % dims[axis]!)]!));
}
