/** Tensors of the model → weights. */
import { bytesPerElement, dtypeOfOnnxNumber } from '../../runtime/dtype.ts';
import type { WeightSource } from '../ir/program.ts';
import { bytesOfTensor } from './decode.ts';
import { plainDomain } from './draft.ts';
import { tensorProto } from './encode.ts';
import { tensorSize } from './errors.ts';
import { locate } from './external.ts';
import { type NodeProto, onnx, type TensorProto, toNumber } from './proto.ts';
import { smallBytes } from './scan.ts';
import { readSpan, type Weight, weightBytes } from './weights.ts';

/** Big weights do not pass through onnxruntime. */
export const isBig = (weight: Weight): boolean => weight.source.kind !== 'strings' && weightBytes(weight) > smallBytes;

/** The tensor, holding its bytes itself, wherever they were. */
export const inlineTensor = (tensor: TensorProto, { name, dtype, shape, source }: Weight): TensorProto =>
  source.kind === 'inline' ? tensorProto(name, dtype, shape, source.bytes) : tensor;

/** The tensor a Constant node makes. */
export const constantTensor = (node: NodeProto): TensorProto | null | undefined =>
  node.opType === 'Constant' && plainDomain(node.domain) === ''
    ? node.attribute.find(({ name }) => name === 'value')?.t
    : undefined;

/**
 * The weight a tensor of the model is; undefined where JavaScript cannot hold its dtype.
 * @param name of the value, if it is not the tensor's own
 * @throws tensor-size, external-data-missing, external-data-short, external-data-outside
 */
export function weightOf(modelFile: string, tensor: TensorProto, name = tensor.name): Weight | undefined {
  const dtype = dtypeOfOnnxNumber(tensor.dataType);
  const shape = tensor.dims.map(toNumber);
  if (dtype === undefined) return undefined;
  const elements = elementsOf(modelFile, name, shape);
  const weight = (source: WeightSource): Weight => ({ name, role: 'weight', dtype, shape, source });
  const expect = (actual: number, wanted: number, unit: string) => {
    if (actual !== wanted) {
      throw tensorSize(modelFile, name, `shape [${shape.join(',')}] asks for ${wanted} ${unit}, there are ${actual}`);
    }
  };
  if (dtype === 'string') {
    expect(tensor.stringData.length, elements, 'strings');
    return weight({ kind: 'strings', values: tensor.stringData.map((bytes) => Buffer.from(bytes).toString()) });
  }
  const wanted = elements * bytesPerElement(dtype);
  if (tensor.dataLocation === onnx.TensorProto.DataLocation.EXTERNAL) {
    const span = locate(modelFile, tensor, wanted, name);
    expect(span.length, wanted, 'bytes');
    return weight(wanted > smallBytes ? { kind: 'file', ...span } : { kind: 'inline', bytes: readSpan(span) });
  }
  const bytes = bytesOfTensor(tensor) ?? new Uint8Array(0);
  expect(bytes.length, wanted, 'bytes');
  return weight(sourceOfBytes(bytes, bytesPerElement(dtype)));
}

/** @throws tensor-size if there is no such shape */
export function elementsOf(modelFile: string, name: string, shape: readonly number[]): number {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => size < 0) || !Number.isSafeInteger(elements * 8)) {
    throw tensorSize(modelFile, name, `no tensor has the shape [${shape.join(',')}]`);
  }
  return elements;
}

/** Copies, so that no small weight keeps a whole model in memory; big ones of one repeated element shrink to `fill`. */
function sourceOfBytes(bytes: Uint8Array, size: number): WeightSource {
  const repeats = bytes.length > smallBytes && Buffer.compare(bytes.subarray(size), bytes.subarray(0, -size)) === 0;
  return repeats
    ? { kind: 'fill', bytes: new Uint8Array(bytes.subarray(0, size)) }
    : { kind: 'inline', bytes: new Uint8Array(bytes) };
}
