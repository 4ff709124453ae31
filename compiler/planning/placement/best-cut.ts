/** The best layer cut: stages in the devices' order, each the operators between two cuts through the graph; exact on any graph. */
import type { CostGraph } from '../cost-graph.ts';
import { costOf, type Placement, type PlacementCost } from './evaluate.ts';
import { constant } from './linear-program.ts';
import { PlacementProgram } from './placement-program.ts';

export interface Placed {
  readonly placement: Placement;
  readonly cost: PlacementCost;
  /** False: time was up before anything better was ruled out. */
  readonly proven: boolean;
}

export interface CutOptions {
  /** Devices of the stages, each once; a stage may be empty. Default: {@link stageOrder}. */
  readonly order?: readonly number[];
  readonly objective?: 'latency' | 'energy';
  /** Most seconds of an inference. */
  readonly deadline?: number;
  /** Seconds for the search. */
  readonly budget?: number;
}

/** The device that has the inputs, then the others in the cluster's order. */
export const stageOrder = ({ devices, inputs }: CostGraph): number[] => [
  inputs,
  ...[...devices.keys()].filter((device) => device !== inputs),
];

/** The layer cut with the least latency, or the least energy; null: none meets the deadline, fits in memory, or has the links. */
export function bestCut(
  graph: CostGraph,
  { order = stageOrder(graph), objective = 'latency', deadline, budget = 60 }: CutOptions = {},
): Placed | null {
  const placements = new PlacementProgram(graph, order);
  placements.demandMemory();
  if (deadline !== undefined) placements.program.atLeast(constant(deadline), placements.seconds());
  const least = objective === 'latency' ? placements.seconds() : placements.joules();
  const solution = placements.program.minimise(least, budget);
  if (!solution) return null;
  const placement = placements.placementOf(solution);
  return { placement, cost: costOf(graph, placement), proven: solution.proven };
}
