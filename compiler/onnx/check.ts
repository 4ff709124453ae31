/** Faults of a graph that onnxruntime would name by C++ source lines, or by no name at all. */
import { graphsOf } from './decode.ts';
import { capturesOf, type Draft, nodeLabel } from './draft.ts';
import { attributeRange, cycle, duplicateValue, undefinedValue, valueType } from './errors.ts';
import { isDataType } from './foreign.ts';
import type { GraphProto, NodeProto, SparseTensorProto, ValueInfoProto } from './proto.ts';
import { toNumber } from './proto.ts';
import { topological } from './topological.ts';

/** No tensor has more dimensions. */
const mostDimensions = 1000;

/** What makes a value, by the value's name. */
type Makers = Map<string, string>;
type Named = { readonly name: string };

/** @throws duplicate-value, undefined-value, cycle, attribute-range, value-type */
export function checkGraph(draft: Draft): void {
  const { file } = draft;
  for (const input of draft.inputs) checkType(file, `input "${input.name}"`, input, true);
  for (const output of draft.outputs) checkType(file, `output "${output.name}"`, output, false);
  const makers = makersOf(file, [], draft.initializers, draft.sparseInitializers);
  // An initializer that has an input's name is the input's default: a weight.
  const weights = new Set(makers.keys());
  for (const { name } of draft.inputs) if (!weights.has(name)) make(file, makers, name, `input "${name}"`);
  const nodes = draft.nodes.map(({ proto }) => proto);
  for (const node of nodes) makeOutputs(file, makers, [], node);
  for (const node of nodes) {
    const missing = [...node.input, ...capturesOf(node)].find((name) => name !== '' && !makers.has(name));
    if (missing !== undefined) throw undefinedValue(file, missing, `node "${nodeLabel(node)}"`);
  }
  const missing = draft.outputs.find(({ name }) => !makers.has(name));
  if (missing) throw undefinedValue(file, missing.name, `output "${missing.name}"`);
  checkNodes(file, [], nodes);
}

/** Values from outside may be hidden; what the graph reads from outside is checked there. @param outer the nodes it is in */
function checkInner(file: string, outer: readonly string[], graph: GraphProto): void {
  const makers = makersOf(file, outer, graph.initializer, graph.sparseInitializer);
  for (const { name } of graph.input) if (!makers.has(name)) make(file, makers, name, within(outer, `input "${name}"`));
  for (const node of graph.node) makeOutputs(file, makers, outer, node);
  checkNodes(file, outer, graph.node);
}

function checkNodes(file: string, outer: readonly string[], nodes: readonly NodeProto[]): void {
  for (const node of nodes) {
    checkAxes(file, outer, node);
    for (const graph of graphsOf(node)) checkInner(file, [...outer, `node "${nodeLabel(node)}"`], graph);
  }
  const sorted = topological(
    nodes.map((node) => ({ reads: [...node.input, ...capturesOf(node)], writes: node.output })),
  );
  if ('cycle' in sorted) {
    throw cycle(
      file,
      outer,
      sorted.cycle.map((i) => nodeLabel(nodes[i]!)),
    );
  }
}

const within = (outer: readonly string[], place: string): string => [...outer, place].join(': ');

function makersOf(
  file: string,
  outer: readonly string[],
  initializers: readonly Named[],
  sparse: readonly SparseTensorProto[],
): Makers {
  const makers: Makers = new Map();
  for (const { name } of [...initializers, ...sparse.map(({ values }) => ({ name: values?.name ?? '' }))]) {
    make(file, makers, name, within(outer, `initializer "${name}"`));
  }
  return makers;
}

function makeOutputs(file: string, makers: Makers, outer: readonly string[], node: NodeProto): void {
  const maker = within(outer, `node "${nodeLabel(node)}"`);
  for (const name of node.output) if (name !== '') make(file, makers, name, maker);
}

function make(file: string, makers: Makers, name: string, maker: string): void {
  const other = makers.get(name);
  if (other !== undefined) throw duplicateValue(file, name, other, maker);
  makers.set(name, maker);
}

/** What is no tensor is onnxruntime's to judge. */
function checkType(file: string, place: string, { type }: ValueInfoProto, isNeeded: boolean): void {
  const tensor = type?.tensorType ?? type?.sparseTensorType;
  if (tensor) {
    if (!isDataType(tensor.elemType)) throw valueType(file, place, `there is no data type ${tensor.elemType}`);
  } else if (isNeeded && !(type?.sequenceType || type?.mapType || type?.optionalType)) {
    throw valueType(file, place, 'it has no type');
  }
}

/** onnxruntime 1.30 dies of a segmentation fault when an axis overflows. */
function checkAxes(file: string, outer: readonly string[], node: NodeProto): void {
  for (const { name, i, ints } of node.attribute) {
    if (name !== 'axis' && name !== 'axes') continue;
    const wrong = [i, ...ints].map(toNumber).find((axis) => Math.abs(axis) > mostDimensions);
    if (wrong !== undefined) {
      throw attributeRange(file, within(outer, `node "${nodeLabel(node)}"`), name, wrong);
    }
  }
}
