/** Examples of operators: what the printed table shows and what the brute-force proofs run, from one source. */
import type { DType } from '../../../runtime/dtype.ts';
import type { Attribute, Attributes } from '../../ir/program.ts';
import { tensorProto } from '../../onnx/encode.ts';
import { onnx } from '../../onnx/proto.ts';
import { numberOf } from './dense.ts';

/** An input: random unless values are given; `constant`: known when compiling. */
export interface Input {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of texts their numbers. */
  readonly values?: readonly number[];
  /** Bounds of random values, `[low, high)`. */
  readonly range?: readonly [number, number];
  readonly constant?: boolean;
}

/** One operator with its operands. */
export interface Case {
  readonly type: string;
  /** '' (default) is ONNX's own. */
  readonly domain?: string;
  /** Version of the domain; 17 by default. */
  readonly opset?: number;
  readonly attributes?: Attributes;
  readonly inputs: readonly (Input | null)[];
  /** Which outputs are used; the first only unless said. */
  readonly outputs?: readonly boolean[];
  readonly seed?: number;
}

export const f32 = (...shape: number[]): Input => ({ dtype: 'float32', shape });
/** Positive, for scales, deviations and bases of powers. */
export const positive = (...shape: number[]): Input => ({ dtype: 'float32', shape, range: [0.2, 2] });
export const bools = (...shape: number[]): Input => ({ dtype: 'bool', shape });
export const of = (dtype: DType, ...shape: number[]): Input => ({ dtype, shape });
/** Indices in `[0, below)`. */
export const index = (below: number, ...shape: number[]): Input => ({ dtype: 'int64', shape, range: [0, below] });
export const index32 = (below: number, ...shape: number[]): Input => ({ dtype: 'int32', shape, range: [0, below] });
/** Quantized data, scales and zero points: small enough that integers of 8 bits are not all clipped. */
export const u8 = (...shape: number[]): Input => ({ dtype: 'uint8', shape, range: [0, 200] });
export const i8 = (...shape: number[]): Input => ({ dtype: 'int8', shape, range: [-90, 90] });
export const scale = (...shape: number[]): Input => ({ dtype: 'float32', shape, range: [0.01, 0.05] });

/** A vector of texts. */
export const words = (...values: string[]): Input => ({
  dtype: 'string',
  shape: [values.length],
  values: values.map(numberOf),
});

/** Vectors and scalars known when compiling. */
export const longs = (...values: number[]): Input => ({
  dtype: 'int64',
  shape: [values.length],
  values,
  constant: true,
});
export const long = (value: number): Input => ({ dtype: 'int64', shape: [], values: [value], constant: true });
export const floats = (...values: number[]): Input => ({
  dtype: 'float32',
  shape: [values.length],
  values,
  constant: true,
});

export const int = (value: number): Attribute => ({ kind: 'int', value });
export const ints = (...value: number[]): Attribute => ({ kind: 'ints', value });
export const float = (value: number): Attribute => ({ kind: 'float', value });
export const reals = (...value: number[]): Attribute => ({ kind: 'floats', value });
export const text = (value: string): Attribute => ({ kind: 'string', value });
export const texts = (...value: string[]): Attribute => ({ kind: 'strings', value });

/** A tensor as an attribute. */
export const tensor = (dtype: 'float32' | 'uint8', ...values: number[]): Attribute => {
  const data = dtype === 'float32' ? Float32Array.from(values) : Uint8Array.from(values);
  const t = tensorProto('', dtype, [values.length], new Uint8Array(data.buffer));
  const type = onnx.AttributeProto.AttributeType.TENSOR;
  return { kind: 'proto', bytes: onnx.AttributeProto.encode({ name: '', type, t }).finish() };
};

/** A case of ONNX's own domain; every input is used and the first output only. */
export const example = (
  type: string,
  inputs: readonly (Input | null)[],
  attributes: Attributes = {},
  more: Pick<Case, 'opset' | 'outputs' | 'domain'> = {},
): Case => ({ type, inputs, attributes, ...more });
