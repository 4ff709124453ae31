/** Faults of a graph that onnxruntime would name by C++ source lines, or by no name at all. */
import { graphsOf } from './decode.ts';
import { capturesOf, type Draft, nodeLabel } from './draft.ts';
import { attributeRange, cycle, duplicateValue, undefinedValue } from './errors.ts';
import { type NodeProto, toNumber } from './proto.ts';
import { topological } from './topological.ts';

/** No tensor has more dimensions. */
const mostDimensions = 1000;

/** @throws duplicate-value, undefined-value, cycle, attribute-range */
export function checkGraph(draft: Draft): void {
  const { file } = draft;
  const makers = new Map<string, string>();
  const make = (name: string, maker: string) => {
    const other = makers.get(name);
    if (other !== undefined) throw duplicateValue(file, name, other, maker);
    makers.set(name, maker);
  };
  for (const { name } of draft.initializers) make(name, `initializer "${name}"`);
  for (const { values } of draft.sparseInitializers) make(values?.name ?? '', `initializer "${values?.name}"`);
  // An initializer that has an input's name is the input's default: a weight.
  const weights = new Set(makers.keys());
  for (const { name } of draft.inputs) if (!weights.has(name)) make(name, `input "${name}"`);
  const steps = draft.nodes.map(({ proto }) => ({
    label: nodeLabel(proto),
    reads: [...proto.input, ...capturesOf(proto)].filter((name) => name !== ''),
    writes: proto.output.filter((name) => name !== ''),
  }));
  for (const { label, writes } of steps) for (const name of writes) make(name, `node "${label}"`);
  for (const { label, reads } of steps) {
    const missing = reads.find((name) => !makers.has(name));
    if (missing !== undefined) throw undefinedValue(file, missing, `node "${label}"`);
  }
  const missing = draft.outputs.find(({ name }) => !makers.has(name));
  if (missing) throw undefinedValue(file, missing.name, `output "${missing.name}"`);
  for (const { proto } of draft.nodes) checkAxes(file, proto);
  const sorted = topological(steps);
  if ('order' in sorted) return;
  const labels = sorted.cycle.map((i) => steps[i]!.label);
  throw cycle(file, labels);
}

/** onnxruntime 1.30 dies of a segmentation fault when an axis overflows. */
function checkAxes(file: string, node: NodeProto): void {
  for (const { name, i, ints } of node.attribute) {
    if (name !== 'axis' && name !== 'axes') continue;
    const wrong = [i, ...ints].map(toNumber).find((axis) => Math.abs(axis) > mostDimensions);
    if (wrong !== undefined) throw attributeRange(file, nodeLabel(node), name, wrong);
  }
  for (const inner of graphsOf(node).flatMap((graph) => graph.node)) checkAxes(file, inner);
}
