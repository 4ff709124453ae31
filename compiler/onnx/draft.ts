/** A model taken apart: what import looks at is decoded, everything else stays bytes, so that no field is lost. */
import { graphsOf } from './decode.ts';
import { damagedModel, missingOpset, noGraph, noOutput, notOnnx } from './errors.ts';
import {
  decodeModel,
  decodeNode,
  decodeOperatorSet,
  decodeSparseTensor,
  decodeTensor,
  decodeValueInfo,
  type GraphProto,
  type NodeProto,
  onnx,
  type SparseTensorProto,
  type TensorProto,
  toNumber,
  type ValueInfoProto,
} from './proto.ts';
import { checkMessage, type MessageKind } from './well-formed.ts';
import { type Field, field, fieldsOf, varintField, wire } from './wire.ts';

export interface DraftNode {
  readonly proto: NodeProto;
  readonly bytes: Uint8Array;
}

export interface Draft {
  readonly file: string;
  readonly name: string;
  readonly irVersion: number;
  /** Domain to version; ONNX's own domain is ''. */
  readonly opsets: ReadonlyMap<string, number>;
  /** Fields of ModelProto that are passed on: functions. */
  readonly functions: readonly Uint8Array[];
  readonly nodes: readonly DraftNode[];
  readonly initializers: readonly TensorProto[];
  readonly sparseInitializers: readonly SparseTensorProto[];
  readonly inputs: readonly ValueInfoProto[];
  readonly outputs: readonly ValueInfoProto[];
}

/** Numbers of the fields that are read here. */
const modelField = { irVersion: 1, graph: 7, opsets: 8, functions: 25 } as const;
const graphField = { node: 1, name: 2, initializer: 5, input: 11, output: 12, valueInfo: 13, sparse: 15 } as const;
const nodeNameField = 3;
/** Of ONNX's own operators, for models that use none of them: passes do. */
const ownOpset = 17;
/** From this IR version on initializers need not be inputs. */
const constantsIr = 4;

/** @throws model-damaged, model-not-onnx, model-no-graph, model-no-output, opset */
export function takeApart(file: string, skeleton: Uint8Array): Draft {
  const draft = decoding(file, () => decode(file, skeleton));
  if (draft.outputs.length === 0) throw noOutput(file);
  return draft;
}

/** Whatever a decoder throws is the file's fault. */
function decoding<T>(file: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof RangeError || (error instanceof Error && error.constructor === Error)) {
      throw damagedModel(file, `the model cannot be decoded: ${error.message}`, error);
    }
    throw error;
  }
}

function decode(file: string, skeleton: Uint8Array): Draft {
  const model = [...fieldsOf(skeleton)];
  const all = (fields: readonly Field[], number: number, kind?: MessageKind) => {
    const payloads = fields.filter((found) => found.number === number && found.wire === wire.bytes);
    if (kind) for (const { payload } of payloads) checkMessage(kind, payload);
    return payloads.map(({ payload }) => payload);
  };
  const opsets = new Map(
    all(model, modelField.opsets, 'operatorSet')
      .map(decodeOperatorSet)
      .map(({ domain, version }) => [plainDomain(domain), toNumber(version)]),
  );
  const irVersion = model.findLast(({ number, wire: type }) => number === modelField.irVersion && type === wire.varint);
  const graphs = all(model, modelField.graph);
  if (graphs.length === 0) throw opsets.size > 0 || irVersion ? noGraph(file) : notOnnx(file, undefined);
  if (opsets.size === 0) throw missingOpset(file);
  if (!opsets.has('')) opsets.set('', ownOpset);
  const graph = graphs.flatMap((bytes) => [...fieldsOf(bytes)]);
  return {
    file,
    name: Buffer.from(all(graph, graphField.name).at(-1) ?? []).toString(),
    irVersion: irVersion ? toNumber(decodeModel(irVersion.whole).irVersion) : 0,
    opsets,
    functions: all(model, modelField.functions),
    nodes: all(graph, graphField.node, 'node').map((bytes) => ({ bytes, proto: decodeNode(bytes) })),
    initializers: all(graph, graphField.initializer, 'tensor').map(decodeTensor),
    sparseInitializers: all(graph, graphField.sparse, 'sparse').map(decodeSparseTensor),
    inputs: all(graph, graphField.input, 'valueInfo').map(decodeValueInfo),
    outputs: all(graph, graphField.output, 'valueInfo').map(decodeValueInfo),
  };
}

/** A model that asks for the type and shape of every value. */
export function putTogether(draft: Draft): Uint8Array {
  const inners = draft.nodes.flatMap(({ proto }) => proto.output).filter((name) => name !== '');
  const graph = Buffer.concat([
    field(graphField.name, draft.name),
    ...draft.nodes.map(({ bytes }) => field(graphField.node, bytes)),
    ...draft.initializers.map((tensor) => field(graphField.initializer, onnx.TensorProto.encode(tensor).finish())),
    ...draft.sparseInitializers.map((sparse) =>
      field(graphField.sparse, onnx.SparseTensorProto.encode(sparse).finish()),
    ),
    ...draft.inputs.map((input) => field(graphField.input, onnx.ValueInfoProto.encode(input).finish())),
    ...draft.outputs.map((output) => field(graphField.output, onnx.ValueInfoProto.encode(output).finish())),
    ...inners.map((name) => field(graphField.valueInfo, field(1, name))),
  ]);
  return Buffer.concat([
    varintField(modelField.irVersion, Math.max(draft.irVersion, constantsIr)),
    ...[...draft.opsets].map(([domain, version]) =>
      field(modelField.opsets, onnx.OperatorSetIdProto.encode({ domain, version }).finish()),
    ),
    field(modelField.graph, graph),
    ...draft.functions.map((bytes) => field(modelField.functions, bytes)),
  ]);
}

/** `ai.onnx` is another name of ''. */
export const plainDomain = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

/** How messages call a node. */
export const nodeLabel = (node: NodeProto): string => node.name || node.output.find((name) => name) || node.opType;

/** Values that a node's graphs read from outside, in order of use. */
export const capturesOf = (node: NodeProto): string[] => [...new Set(graphsOf(node).flatMap(freeNames))];

function freeNames(graph: GraphProto): string[] {
  const made = new Set([
    ...graph.input.map(({ name }) => name),
    ...graph.initializer.map(({ name }) => name),
    ...graph.sparseInitializer.map(({ values }) => values?.name),
    ...graph.node.flatMap(({ output }) => output),
  ]);
  const used = [
    ...graph.node.flatMap((node) => [...node.input, ...graphsOf(node).flatMap(freeNames)]),
    ...graph.output.map(({ name }) => name),
  ];
  return used.filter((name) => name !== '' && !made.has(name));
}

/** Every name of a value, in graphs within too. */
export const allNames = ({ initializers, inputs, nodes }: Draft): string[] => [
  ...[...initializers, ...inputs].map(({ name }) => name),
  ...nodes.flatMap(({ proto }) => namesIn(proto)),
];

const namesIn = (node: NodeProto): string[] => [
  ...node.input,
  ...node.output,
  ...graphsOf(node).flatMap((graph) => [
    ...[...graph.input, ...graph.initializer].map(({ name }) => name),
    ...graph.node.flatMap(namesIn),
  ]),
];

/** `name`, or `name#2` … if that is taken; taken from now on. */
export function freshName(name: string, taken: Set<string>): string {
  let fresh = name;
  for (let i = 2; taken.has(fresh); i++) fresh = `${name}#${i}`;
  taken.add(fresh);
  return fresh;
}

/** The draft with a name of its own for every node, as onnxruntime wants it. */
export function withUniqueNodeNames(draft: Draft): Draft {
  const names = uniqueNames(draft.nodes.map(({ proto }) => nodeLabel(proto)));
  const nodes = draft.nodes.map((node, i) => {
    const name = names[i]!;
    if (node.proto.name === name) return node;
    const bytes = Buffer.concat([node.bytes, field(nodeNameField, name)]);
    return { bytes, proto: decodeNode(bytes) };
  });
  return { ...draft, nodes };
}

/** Names that come again get the suffix `#2`, `#3` …; the first of a name keeps it. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set(names);
  const seen = new Set<string>();
  return names.map((name) => {
    const unique = seen.has(name) ? freshName(name, taken) : name;
    seen.add(name);
    return unique;
  });
}
