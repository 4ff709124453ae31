/** Tensors of dtypes JavaScript cannot hold (bfloat16, float8, int4 …): they stay inside the model, as bytes. */
import { dtypeOfOnnxNumber } from '../../runtime/dtype.ts';
import { tensorSize } from './errors.ts';
import { locate } from './external.ts';
import { createTensor, onnx, type TensorProto, toNumber } from './proto.ts';
import { readSpan } from './weights.ts';

/** Bits an element, by TensorProto.DataType. */
const bits: Readonly<Record<number, number>> = {
  14: 64, // complex64
  15: 128, // complex128
  16: 16, // bfloat16
  17: 8, // float8e4m3fn
  18: 8, // float8e4m3fnuz
  19: 8, // float8e5m2
  20: 8, // float8e5m2fnuz
  21: 4, // uint4
  22: 4, // int4
  23: 4, // float4e2m1
  24: 8, // float8e8m0
  25: 2, // uint2
  26: 2, // int2
};

/** Whether ONNX has a data type of this number. */
export const isDataType = (number: number): boolean => number in bits || dtypeOfOnnxNumber(number) !== undefined;

/**
 * The tensor with its bytes inside.
 * @throws tensor-size, external-data-missing, external-data-short, external-data-outside
 */
export function readForeign(file: string, tensor: TensorProto): TensorProto {
  const size = bits[tensor.dataType];
  if (size === undefined) throw tensorSize(file, tensor.name, `there is no data type ${tensor.dataType}`);
  if (tensor.dataLocation !== onnx.TensorProto.DataLocation.EXTERNAL) return tensor;
  const { name, dataType, dims } = tensor;
  const wanted = Math.ceil((dims.reduce((product: number, dim) => product * toNumber(dim), 1) * size) / 8);
  const span = locate(file, tensor, wanted, name);
  if (span.length !== wanted) throw tensorSize(file, name, `${wanted} bytes expected, there are ${span.length}`);
  return createTensor({ name, dataType, dims, rawData: readSpan(span) });
}
