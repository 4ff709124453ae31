/** Puts an imported program back together as one ONNX model, to be run against the original. */
import type { Compute, Program, Value } from '../../compiler/ir/program.ts';
import { wholeRegion } from '../../compiler/ir/region.ts';
import { encodeAttribute, tensorProto, valueInfo } from '../../compiler/onnx/encode.ts';
import { onnx } from '../../compiler/onnx/proto.ts';
import { readRegion, type Weight } from '../../compiler/onnx/weights.ts';

export async function rebuild(program: Program<'imported'>): Promise<Uint8Array> {
  const tensors = [...program.tensors.values()];
  const named = (name: string) => {
    const tensor = program.tensors.get(name)!;
    return tensor.dtype ? valueInfo(name, tensor.dtype, tensor.shape) : { name };
  };
  return onnx.ModelProto.encode({
    irVersion: program.irVersion,
    opsetImport: Object.entries(program.opsets).map(([domain, version]) => ({ domain, version })),
    graph: {
      name: 'rebuilt',
      node: program.operators.filter((operator) => operator.kind === 'compute').map(nodeOf),
      initializer: await Promise.all(tensors.filter((tensor) => tensor.role === 'weight').map(initializerOf)),
      input: program.inputs.map(named),
      output: program.outputs.map((name) => ({ name })),
    },
  }).finish();
}

const nameOf = (value: Compute['inputs'][number]): string => (value?.kind === 'value' ? value.tensor : '');

const nodeOf = (operator: Compute) => ({
  name: operator.origin,
  opType: operator.type,
  domain: operator.domain,
  input: operator.inputs.map(nameOf),
  output: operator.outputs.map((value: Value | null) => nameOf(value)),
  attribute: Object.entries(operator.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
});

async function initializerOf(weight: Weight) {
  if (weight.source.kind === 'strings') {
    const stringData = weight.source.values.map((value) => Buffer.from(value));
    return onnx.TensorProto.create({ name: weight.name, dataType: 8, dims: [...weight.shape], stringData });
  }
  return tensorProto(weight.name, weight.dtype, weight.shape, await bytesOf(weight));
}

export async function bytesOf(weight: Weight, region = wholeRegion(weight.shape)): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readRegion(weight, region)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
