/** Made-up inputs, the same on every machine for the same seed. */

import { bytesPerElement, type DType } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import type { TensorSpec } from './manifest.ts';
import type { Tensor } from './program.ts';
import { elements, formatShape, tensorOver } from './tensor.ts';

/**
 * Floats in [0, 1), bytes over their whole range, other integers 0 or 1 (which token, mask and type may be), booleans.
 * @throws input-shape where a size is not known
 */
export function randomTensor({ name, dtype, shape }: TensorSpec, seed: number): Tensor {
  const dims = shape.map((size) => {
    if (size !== null) return size;
    throw new ShardonnxError('input-shape', `no random "${name}": its shape ${formatShape(shape)} is not fixed`);
  });
  const next = generator(seed);
  const count = elements(dims);
  if (dtype === 'string') {
    return { type: dtype, dims, data: Array.from({ length: count }, () => `s${Math.floor(next() * 8)}`) };
  }
  const tensor = tensorOver(dtype, dims, new Uint8Array(count * bytesPerElement(dtype)));
  if (!tensor) throw new RangeError(`no array of ${count} ${dtype}`);
  fill(dtype, tensor.data, next);
  return tensor;
}

function fill(dtype: DType, data: Tensor['data'], next: () => number): void {
  const draw = DRAW[dtype] ?? ((unit) => Math.floor(unit * 2));
  for (let i = 0; i < data.length; i++) {
    const value = draw(next());
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value);
    else if (!Array.isArray(data)) data[i] = value;
  }
}

const DRAW: { readonly [D in DType]?: (unit: number) => number } = {
  float32: (unit) => unit,
  float64: (unit) => unit,
  // Bits of the halves in [0.5, 1).
  float16: (unit) => 0x3800 + Math.floor(unit * 0x400),
  uint8: (unit) => Math.floor(unit * 256),
  int8: (unit) => Math.floor(unit * 256) - 128,
  bool: (unit) => (unit < 0.5 ? 0 : 1),
};

/** mulberry32 (public domain, Tommy Ettinger): uniform in [0, 1). */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
