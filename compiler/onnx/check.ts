/** Faults of a graph that onnxruntime would name by C++ source lines, or by no name at all. */
import { capturesOf, type Draft, nodeLabel } from './draft.ts';
import { cycle, duplicateValue, undefinedValue } from './errors.ts';
import { topological } from './topological.ts';

/** @throws duplicate-value, undefined-value, cycle */
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
    reads: [...proto.input.filter((name) => name !== ''), ...capturesOf(proto)],
    writes: proto.output.filter((name) => name !== ''),
  }));
  for (const { label, writes } of steps) for (const name of writes) make(name, `node "${label}"`);
  for (const { label, reads } of steps) {
    const missing = reads.find((name) => !makers.has(name));
    if (missing !== undefined) throw undefinedValue(file, missing, `node "${label}"`);
  }
  const missing = draft.outputs.find(({ name }) => !makers.has(name));
  if (missing) throw undefinedValue(file, missing.name, `output "${missing.name}"`);
  const sorted = topological(steps);
  if ('cycle' in sorted)
    throw cycle(
      file,
      sorted.cycle.map((i) => steps[i]!.label),
    );
}
