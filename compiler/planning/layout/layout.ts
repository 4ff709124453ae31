/** A layout: which device makes which span of which layer, in which order; and the plan it is. */
import { tensorOf } from '../../ir/program.ts';
import { formatRegion } from '../../ir/region.ts';
import type { Plan, PlanPart } from '../plan.ts';
import { outputRegion, wholeSpans } from '../resolve.ts';
import type { AxisCut } from './axis.ts';
import type { LayerGraph } from './layers.ts';

/** `[begin, end)` of a layer, made by one device in one go. Pieces of one device are disjoint. */
export interface Piece {
  /** Index in the cluster. */
  readonly device: number;
  readonly begin: number;
  readonly end: number;
}

/** One list a layer; a device computes its pieces of a layer in their order. Together they cover it; devices may overlap. */
export type Layout = readonly (readonly Piece[])[];

function partOf(
  graph: LayerGraph,
  { operator, cut, letter, length }: AxisCut,
  { device, begin, end }: Piece,
): PlanPart {
  const { name } = graph.cluster.devices[device]!;
  if (!cut || (begin === 0 && end === length)) return { device: name };
  const index = operator.outputs.findIndex((output) => output !== null);
  const { shape } = tensorOf(graph.program, operator.outputs[index]!.tensor);
  return {
    device: name,
    region: formatRegion(outputRegion(cut, index, { ...wholeSpans(cut), [letter]: [begin, end] }), shape),
  };
}

/** The plan that says what a layout does. */
export function planOf(graph: LayerGraph, layout: Layout): Plan['operators'] {
  const entries = graph.layers.flatMap(({ cuts, index }) =>
    cuts.map((cut): [string, Plan['operators'][string]] => {
      const parts = layout[index]!.map((piece) => partOf(graph, cut, piece));
      return [cut.operator.origin, parts.length === 1 && !parts[0]!.region ? parts[0]!.device : parts];
    }),
  );
  return Object.fromEntries(entries);
}
