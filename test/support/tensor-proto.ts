/** A tensor as ONNX's test data has it. */
import { tensorProto } from '../../compiler/onnx/encode.ts';
import { onnx } from '../../compiler/onnx/proto.ts';
import type { Tensor } from '../../runtime/program.ts';

/** Of any dtype but string. */
export function encodeTensor({ type, dims, data }: Tensor): Uint8Array {
  if (type === 'string') throw new Error('strings have no bytes');
  const { buffer, byteOffset, byteLength } = data as Float32Array;
  return onnx.TensorProto.encode(tensorProto('', type, dims, new Uint8Array(buffer, byteOffset, byteLength))).finish();
}
