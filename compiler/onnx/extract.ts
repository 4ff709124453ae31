/** Takes the weights out of a model, so that no big tensor passes through onnxruntime. */
import { bytesPerElement } from '../../runtime/dtype.ts';
import { graphsOf } from './decode.ts';
import { allNames, type Draft, type DraftNode, freshName, nodeLabel, plainDomain } from './draft.ts';
import { readForeign } from './foreign.ts';
import { hoistWeights } from './hoist.ts';
import { createTensor, decodeNode, type NodeProto, onnx, type TensorProto } from './proto.ts';
import { constantTensor, elementsOf, inlineTensor, isBig, weightOf } from './tensors.ts';
import { constantOf, type Weight } from './weights.ts';
import { editFields, field } from './wire.ts';

export interface Extracted {
  /** Without big initializers, without nodes that make big constants, and without the inputs whose defaults initializers are. */
  readonly draft: Draft;
  readonly weights: ReadonlyMap<string, Weight>;
}

/** @throws tensor-size, external-data-missing, external-data-short, external-data-outside */
export function extractWeights(draft: Draft): Extracted {
  const { file } = draft;
  const weights = new Map<string, Weight>();
  /** What nodes may take as a constant shape. */
  const constants = new Map<string, number[]>();
  const learn = (weight: Weight): void => {
    const constant = constantOf(weight);
    if (isBig(weight)) weights.set(weight.name, weight);
    else if (constant) constants.set(weight.name, constant);
  };
  let names: Set<string> | undefined;
  const hoist = (node: NodeProto, weight: Weight): string => {
    names ??= new Set(allNames(draft));
    const name = freshName(`${nodeLabel(node)}/${weight.name}`, names);
    weights.set(name, { ...weight, name });
    return name;
  };
  const initializers = draft.initializers.flatMap((tensor) => {
    const weight = weightOf(file, tensor);
    if (!weight) return [readForeign(file, tensor)];
    learn(weight);
    return isBig(weight) ? [] : [inlineTensor(tensor, weight)];
  });
  const nodes = draft.nodes.flatMap((node): DraftNode[] => {
    const tensor = constantTensor(node.proto);
    const weight = tensor ? weightOf(file, tensor, node.proto.output[0]) : constantOfShape(file, node.proto, constants);
    if (weight) learn(weight);
    if (weight && isBig(weight)) return [];
    if (graphsOf(node.proto).length > 0) return [hoistWeights(file, node, (inner) => hoist(node.proto, inner))];
    return tensor && !weight ? [withValue(node, readForeign(file, tensor))] : [node];
  });
  const given = new Set(
    [...draft.initializers, ...draft.sparseInitializers.flatMap(({ values }) => values ?? [])].map(({ name }) => name),
  );
  const inputs = draft.inputs.filter(({ name }) => !given.has(name));
  return { draft: { ...draft, nodes, initializers, inputs }, weights };
}

/** The node with another `value`. */
function withValue(node: DraftNode, value: TensorProto): DraftNode {
  const attribute = { name: 'value', type: onnx.AttributeProto.AttributeType.TENSOR, t: value };
  const encoded = field(5, onnx.AttributeProto.encode(attribute).finish());
  const bytes = editFields(node.bytes, ({ number }) => (number === 5 ? encoded : undefined));
  return { bytes, proto: decodeNode(bytes) };
}

/** What a ConstantOfShape node makes, if its shape is known. */
function constantOfShape(file: string, node: NodeProto, constants: ReadonlyMap<string, number[]>): Weight | undefined {
  const shape = constants.get(node.input[0] ?? '');
  if (node.opType !== 'ConstantOfShape' || plainDomain(node.domain) !== '') return undefined;
  if (!shape?.every((size) => size >= 0)) return undefined;
  const value =
    node.attribute.find(({ name }) => name === 'value')?.t ?? createTensor({ dataType: 1, floatData: [0], dims: [1] });
  const element = weightOf(file, value);
  if (element?.source.kind !== 'inline') return undefined;
  const { dtype, source } = element;
  if (source.bytes.length !== bytesPerElement(dtype)) return undefined;
  const name = node.output[0] ?? '';
  elementsOf(file, name, shape);
  return { name, role: 'weight', dtype, shape, source: { kind: 'fill', bytes: source.bytes } };
}
