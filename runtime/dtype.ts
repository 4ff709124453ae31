/** Element types a tensor can have, as onnxruntime-node names them, and how JavaScript holds them. */

/** One row a dtype: ONNX TensorProto.DataType number, bytes an element (0: no fixed size), array that holds it. */
const TABLE = {
  float32: { onnx: 1, bytes: 4, array: Float32Array },
  uint8: { onnx: 2, bytes: 1, array: Uint8Array },
  int8: { onnx: 3, bytes: 1, array: Int8Array },
  uint16: { onnx: 4, bytes: 2, array: Uint16Array },
  int16: { onnx: 5, bytes: 2, array: Int16Array },
  int32: { onnx: 6, bytes: 4, array: Int32Array },
  int64: { onnx: 7, bytes: 8, array: BigInt64Array },
  string: { onnx: 8, bytes: 0, array: Array },
  bool: { onnx: 9, bytes: 1, array: Uint8Array },
  float16: { onnx: 10, bytes: 2, array: Uint16Array },
  float64: { onnx: 11, bytes: 8, array: Float64Array },
  uint32: { onnx: 12, bytes: 4, array: Uint32Array },
  uint64: { onnx: 13, bytes: 8, array: BigUint64Array },
} as const;

export type DType = keyof typeof TABLE;
export type NumericDType = Exclude<DType, 'string'>;
export type NumericArray = InstanceType<(typeof TABLE)[NumericDType]['array']>;

export const dtypes = Object.keys(TABLE) as readonly DType[];

export const isDType = (name: string): name is DType => Object.hasOwn(TABLE, name);

/** ONNX's TensorProto.DataType number. */
export const onnxNumber = (dtype: DType): number => TABLE[dtype].onnx;

/** The dtype of an ONNX TensorProto.DataType number, undefined where JavaScript cannot hold it (bfloat16, float8, complex). */
export const dtypeOfOnnxNumber = (number: number): DType | undefined => byOnnxNumber.get(number);

const byOnnxNumber = new Map(dtypes.map((dtype) => [onnxNumber(dtype), dtype]));

/** Bytes an element; 0 for string. */
export const bytesPerElement = (dtype: DType): number => TABLE[dtype].bytes;

/** A typed array over `bytes` (little-endian), copied only where alignment demands. */
export function arrayOver(dtype: NumericDType, bytes: Uint8Array): NumericArray {
  const { array, bytes: size } = TABLE[dtype];
  // Not slice(): Buffer's own does not copy.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  return new array(aligned.buffer as ArrayBuffer, aligned.byteOffset, aligned.byteLength / size);
}

/** Whether `data` is the kind of array that holds `dtype`. */
export const isArrayOf = (dtype: DType, data: unknown): boolean => data instanceof TABLE[dtype].array;
