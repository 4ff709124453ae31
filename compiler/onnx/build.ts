/** The normalised graph → Program. */
import path from 'node:path';
import { type Compute, type Program, type Tensor, type Value, wholeValue } from '../ir/program.ts';
import { attributesOf, dtypeOfType, graphsOf, shapeOfType } from './decode.ts';
import { capturesOf, type Draft, nodeLabel, plainDomain, uniqueNames } from './draft.ts';
import {
  createAttribute,
  createNode,
  decodeValueInfo,
  type GraphProto,
  type Integer,
  type ModelProto,
  type NodeProto,
  onnx,
  type TypeProto,
  toNumber,
  type ValueInfoProto,
} from './proto.ts';
import { weightOf } from './tensors.ts';
import { topological } from './topological.ts';
import type { Weight } from './weights.ts';

/**
 * @param draft the model before normalisation: its own inputs and outputs
 * @param model after normalisation, with a type for every value
 * @param weights those that `model` has as inputs; unused ones are left out
 */
export function buildProgram(
  draft: Draft,
  model: ModelProto,
  weights: ReadonlyMap<string, Weight>,
): Program<'imported'> {
  const graph = model.graph!;
  const { held, constants } = initializersOf(draft.file, model);
  const inputs = draft.inputs.map(({ name }) => name);
  const outputs = [...new Set(graph.output.map(({ name }) => name))];
  const nodes = needed(inOrder([...constants, ...graph.node]), outputs);
  const tensors = tensorsOf(graph, inputs, outputs, nodes, [...weights.values(), ...held]);
  return {
    stage: 'imported',
    name: path.basename(draft.file),
    irVersion: toNumber(model.irVersion),
    opsets: opsetsOf(model, nodes),
    tensors,
    inputs,
    outputs,
    operators: operatorsOf(nodes, tensors),
    placement: null,
  };
}

/** Everything that is used, in the order inputs, weights, what the nodes make. */
function tensorsOf(
  graph: GraphProto,
  inputs: readonly string[],
  outputs: readonly string[],
  nodes: readonly NodeProto[],
  weights: readonly Weight[],
): Map<string, Tensor> {
  const typed = [...initializerTypes(graph), ...graph.valueInfo, ...graph.input, ...graph.output];
  const types = new Map(typed.map(({ name, type }): [string, TypeProto | null] => [name, type]));
  const tensors = new Map<string, Tensor>();
  const add = (name: string, role: 'input' | 'output' | 'inner') => {
    const type = types.get(name);
    tensors.set(name, { name, role, dtype: dtypeOfType(type), shape: shapeOfType(type) });
  };
  for (const name of inputs) add(name, 'input');
  const used = new Set([...nodes.flatMap((node) => [...node.input, ...capturesOf(node)]), ...outputs]);
  for (const weight of weights) if (used.has(weight.name)) tensors.set(weight.name, weight);
  for (const name of nodes.flatMap(({ output }) => output)) {
    if (name !== '') add(name, outputs.includes(name) ? 'output' : 'inner');
  }
  return tensors;
}

/** Initializers that became weights, and nodes for those that no weight can be: dtypes JavaScript cannot hold, sparse tensors. */
function initializersOf(file: string, { graph }: ModelProto): { held: Weight[]; constants: NodeProto[] } {
  const { AttributeType } = onnx.AttributeProto;
  const constant = (output: string, attribute: Parameters<typeof createAttribute>[0]) =>
    createNode({ name: output, opType: 'Constant', output: [output], attribute: [createAttribute(attribute)] });
  const held: Weight[] = [];
  const constants: NodeProto[] = [];
  for (const tensor of graph!.initializer) {
    const weight = weightOf(file, tensor);
    if (weight) held.push(weight);
    else constants.push(constant(tensor.name, { name: 'value', type: AttributeType.TENSOR, t: tensor }));
  }
  for (const sparse of graph!.sparseInitializer) {
    const value = { name: 'sparse_value', type: AttributeType.SPARSE_TENSOR, sparseTensor: sparse };
    constants.push(constant(sparse.values?.name ?? '', value));
  }
  return { held, constants };
}

function initializerTypes(graph: GraphProto): ValueInfoProto[] {
  const typeOf = (name: string, elemType: number, dims: readonly Integer[]) => {
    const shape = { dim: dims.map((dimValue) => ({ dimValue })) };
    return decodeValueInfo(onnx.ValueInfoProto.encode({ name, type: { tensorType: { elemType, shape } } }).finish());
  };
  return [
    ...graph.initializer.map(({ name, dataType, dims }) => typeOf(name, dataType, dims)),
    ...graph.sparseInitializer.map(({ values, dims }) => typeOf(values?.name ?? '', values?.dataType ?? 0, dims)),
  ];
}

/** onnxruntime appends the nodes that its fusions make. */
function inOrder(nodes: readonly NodeProto[]): NodeProto[] {
  const sorted = topological(
    nodes.map((node) => ({ reads: [...node.input, ...capturesOf(node)], writes: node.output })),
  );
  if ('cycle' in sorted) throw new Error('onnxruntime wrote a graph with a cycle');
  return sorted.order.map((i) => nodes[i]!);
}

/** Without nodes that nothing asks for, of which onnxruntime leaves a few. */
function needed(nodes: readonly NodeProto[], outputs: readonly string[]): NodeProto[] {
  const asked = new Set(outputs);
  const kept = nodes.toReversed().filter((node) => {
    if (!node.output.some((name) => asked.has(name))) return false;
    for (const name of [...node.input, ...capturesOf(node)]) if (name !== '') asked.add(name);
    return true;
  });
  return kept.reverse();
}

function operatorsOf(nodes: readonly NodeProto[], tensors: ReadonlyMap<string, Tensor>): Compute[] {
  const value = (name: string): Value | null => {
    const tensor = tensors.get(name);
    if (!tensor && name !== '') throw new Error(`the normalised graph uses "${name}", which it does not have`);
    return tensor ? wholeValue(tensor) : null;
  };
  const origins = uniqueNames(nodes.map(nodeLabel));
  return nodes.map((node, i) => ({
    kind: 'compute',
    origin: origins[i]!,
    device: null,
    type: node.opType,
    domain: plainDomain(node.domain),
    attributes: attributesOf(node),
    inputs: node.input.map(value),
    outputs: node.output.map(value),
    captures: capturesOf(node).flatMap((name) => value(name) ?? []),
  }));
}

/** Only domains in use; ONNX's own always, for what passes add. */
function opsetsOf(model: ModelProto, nodes: readonly NodeProto[]): Record<string, number> {
  const used = new Set(['', ...nodes.flatMap(domainsOf)]);
  return Object.fromEntries(
    model.opsetImport
      .map(({ domain, version }): [string, number] => [plainDomain(domain), toNumber(version)])
      .filter(([domain]) => used.has(domain)),
  );
}

const domainsOf = (node: NodeProto): string[] => [
  plainDomain(node.domain),
  ...graphsOf(node).flatMap((graph) => graph.node.flatMap(domainsOf)),
];
