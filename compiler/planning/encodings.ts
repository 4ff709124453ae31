/** Encodings on the wire: which tensors can have one, and the ONNX operators that make it and undo it. */
import { type DType, onnxNumber } from '../../runtime/dtype.ts';
import { type Attributes, type Literal, type Program, type Tensor, tensorOf } from '../ir/program.ts';
import type { Encoding, Plan, Range } from './plan.ts';
import type { Schedule } from './schedule.ts';

/** `float16`, `int8`, `int8PerChannel`: the encoding's name. */
export const encodingName = (encoding: Encoding): EncodingName => {
  if (encoding === 'float16') return encoding;
  return 'int8' in encoding ? 'int8' : 'int8PerChannel';
};
export type EncodingName = 'float16' | 'int8' | 'int8PerChannel';
export const encodingNames: readonly EncodingName[] = ['float16', 'int8', 'int8PerChannel'];

/** Constants of which a value takes those of its own indices along an axis. */
export interface PerChannel {
  readonly kind: 'per-channel';
  readonly name: string;
  readonly axis: number;
  readonly data: Float32Array | Uint8Array;
}

/** An ONNX operator that takes a value and these constants. */
export interface Conversion {
  readonly type: string;
  readonly parameters: readonly (Literal | PerChannel)[];
  readonly attributes: Attributes;
}

/** What stands on the two sides of a transfer. */
export interface Coder {
  /** On the wire. */
  readonly dtype: DType;
  readonly encode: Conversion;
  readonly decode: Conversion;
}

const castTo = (dtype: DType): Conversion => ({
  type: 'Cast',
  parameters: [],
  attributes: { to: { kind: 'int', value: onnxNumber(dtype) } },
});

const scalar = (dtype: Literal['dtype'], value: number): Literal => ({
  kind: 'literal',
  dtype,
  shape: [],
  data: [value],
});

/** Steps of equal width over a range and zero, which is one of them: what is padded or cut off by Relu stays exact. */
function stepsOf([min, max]: Range): { scale: number; zero: number } {
  const [low, high] = [Math.min(0, min), Math.max(0, max)];
  const scale = Math.fround((high - low) / 255) || 1;
  return { scale, zero: Math.min(255, Math.round(-low / scale)) };
}

const inBytes = (parameters: Conversion['parameters'], attributes: Attributes = {}): Coder => ({
  dtype: 'uint8',
  encode: { type: 'QuantizeLinear', parameters, attributes },
  decode: { type: 'DequantizeLinear', parameters, attributes },
});

export function coderOf(encoding: Encoding): Coder {
  if (encoding === 'float16') return { dtype: 'float16', encode: castTo('float16'), decode: castTo('float32') };
  if ('int8' in encoding) {
    const { scale, zero } = stepsOf(encoding.int8);
    return inBytes([scalar('float32', scale), scalar('uint8', zero)]);
  }
  const { axis, ranges } = encoding.int8PerChannel;
  const steps = ranges.map(stepsOf);
  const scales = Float32Array.from(steps, ({ scale }) => scale);
  const zeros = Uint8Array.from(steps, ({ zero }) => zero);
  return inBytes(
    [
      { kind: 'per-channel', name: 'scale', axis, data: scales },
      { kind: 'per-channel', name: 'zero', axis, data: zeros },
    ],
    { axis: { kind: 'int', value: axis } },
  );
}

/** Where channels, features or hidden units are: the second dimension of pictures, else the last. */
export const channelAxis = (rank: number): number => (rank >= 4 ? 1 : rank - 1);

/** From these opsets on onnxruntime has the operators. */
const FIRST_OPSET: Readonly<Record<EncodingName, number>> = { float16: 6, int8: 10, int8PerChannel: 13 };

/** Why a tensor has no such ranges; undefined if it has. */
function wrongRanges({ shape }: Tensor, encoding: Encoding): string | undefined {
  if (encoding === 'float16' || 'int8' in encoding) return undefined;
  const { axis, ranges } = encoding.int8PerChannel;
  const size = shape[axis];
  if (size === ranges.length) return undefined;
  return size === undefined
    ? `it has ${shape.length} dimensions, none is axis ${axis}`
    : `it has ${size ?? '?'} channels along axis ${axis}, and ${ranges.length} ranges are given`;
}

/** Why a tensor cannot be encoded as a plan says; undefined if it can. */
export const refusal = (program: Program, tensor: string, encoding: Encoding): string | undefined =>
  obstacle(program, tensor, encodingName(encoding)) ?? wrongRanges(tensorOf(program, tensor), encoding);

/** Why a tensor cannot have an encoding of this name; undefined if it can. */
export function obstacle(program: Program, tensor: string, encoding: EncodingName): string | undefined {
  const found = program.tensors.get(tensor);
  if (!found) return 'there is no such tensor';
  if (found.role === 'weight') return 'it is a weight: every device has what it needs of it';
  if (found.dtype !== 'float32') return `it holds ${found.dtype ?? 'no numbers'}; only float32 is encoded`;
  const opset = program.opsets[''] ?? 1;
  const first = FIRST_OPSET[encoding];
  return opset < first ? `the model has opset ${opset}, ${encoding} needs ${first}` : undefined;
}

/** How a planner sees what crosses: bytes of each float32 number; 2 if encodings may be made of its plan. */
export type BytesPerFloat = 4 | 2;

/** On a link. @param bytes on a device */
export const bytesOnLink = ({ dtype }: Tensor, bytes: number, bytesPerFloat: BytesPerFloat): number =>
  dtype === 'float32' ? (bytes * bytesPerFloat) / 4 : bytes;

/** A float32 tensor that crosses. */
export interface Crossing {
  readonly tensor: string;
  /** Of all its parts that cross. */
  readonly bytes: number;
  /** Addends of it cross, not it itself. */
  readonly addends: boolean;
}

/** What could be encoded of what crosses, most bytes first. */
export function crossings({ program, channels }: Schedule): Crossing[] {
  const found = new Map<string, Crossing>();
  for (const { value, bytes } of channels) {
    const { tensor, partial } = value;
    if (bytes === 0 || obstacle(program, tensor, 'float16')) continue;
    const known = found.get(tensor) ?? { tensor, bytes: 0, addends: false };
    found.set(tensor, { tensor, bytes: known.bytes + bytes, addends: known.addends || partial !== undefined });
  }
  return [...found.values()].sort((a, b) => b.bytes - a.bytes);
}

export function withoutEncodings({ encodings: _, maxRelativeError: __, ...plan }: Plan): Plan {
  return plan;
}
