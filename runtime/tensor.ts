/** Tensors against their specs, and tensors as bytes. */
import { arrayOver, type DType, isArrayOf } from './dtype.ts';
import type { TensorSpec } from './manifest.ts';
import type { Tensor } from './program.ts';

/** How a tensor departs from its spec. */
export interface Mismatch {
  readonly what: 'dtype' | 'shape';
  readonly expected: string;
  readonly given: string;
}

export const elements = (dims: readonly number[]): number => dims.reduce((product, size) => product * size, 1);

export const formatShape = (shape: readonly (number | null)[]): string =>
  `[${shape.map((size) => size ?? '?').join(', ')}]`;

/** null where `tensor` fits `spec`; the shape `[null]` is of any rank. */
export function mismatch(spec: Pick<TensorSpec, 'dtype' | 'shape'>, tensor: Tensor): Mismatch | null {
  if (tensor.type !== spec.dtype) return { what: 'dtype', expected: spec.dtype, given: tensor.type };
  if (!isArrayOf(spec.dtype, tensor.data)) {
    return { what: 'dtype', expected: spec.dtype, given: `${tensor.data?.constructor?.name ?? 'no data'}` };
  }
  const { shape } = spec;
  const { dims } = tensor;
  const anyRank = shape.length === 1 && shape[0] === null;
  const fits = dims.length === shape.length && shape.every((size, axis) => size === null || size === dims[axis]);
  if (!anyRank && !fits) {
    return { what: 'shape', expected: formatShape(shape), given: formatShape(dims) };
  }
  if (tensor.data.length !== elements(dims)) {
    const given = `${tensor.data.length} elements`;
    return { what: 'shape', expected: `${elements(dims)} elements for ${formatShape(dims)}`, given };
  }
  return null;
}

/** The tensor's bytes as they travel: a view where the data are numbers, JSON text where they are strings. */
export function bytesOf(tensor: Tensor): Buffer {
  const { data } = tensor;
  if (Array.isArray(data)) return Buffer.from(JSON.stringify(data));
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

/** The inverse of {@link bytesOf}; null where the bytes cannot be such a tensor. */
export function tensorOver(dtype: DType, dims: readonly number[], bytes: Uint8Array): Tensor | null {
  const data = dtype === 'string' ? stringsIn(bytes) : arrayOver(dtype, bytes);
  return data?.length === elements(dims) ? { type: dtype, dims, data } : null;
}

function stringsIn(bytes: Uint8Array): string[] | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
    return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : null;
  } catch {
    return null;
  }
}
