/** The best layer cut: stages in the devices' order, each the operators between two cuts through the graph; exact on any graph. */
import type { CostGraph } from '../cost-graph.ts';
import { costOf, type Placement, type PlacementCost } from './evaluate.ts';
import { constant } from './linear-program.ts';
import { type Placed, PlacementProgram } from './placement-program.ts';

/** Seconds that a search may take: enough for any model on two to four devices; on eight it may end without proof. */
export const BUDGET = 5;

export interface CutOptions {
  /** Devices of the stages, each once; a stage may be empty. Default: {@link stageOrder}. */
  readonly order?: readonly number[];
  readonly objective?: 'latency' | 'energy';
  /** Most seconds of an inference. */
  readonly deadline?: number | undefined;
  /** Seconds for the search. Default: {@link BUDGET}. */
  readonly budget?: number;
}

/** The device that has the inputs, then the others in the cluster's order. */
export const stageOrder = ({ devices, inputs }: CostGraph): number[] => [
  inputs,
  ...[...devices.keys()].filter((device) => device !== inputs),
];

/** Everything on one of the devices, if that is allowed. */
function bestWhole(
  graph: CostGraph,
  order: readonly number[],
  measure: (cost: PlacementCost) => number,
  deadline = Number.MAX_VALUE,
): Placement | null {
  const wholes = order.map((device) => {
    const placement = graph.operators.map(() => device);
    const cost = costOf(graph, placement);
    const allowed = cost.seconds <= deadline && cost.memory[device]! <= graph.devices[device]!.memory;
    return { placement, value: allowed ? measure(cost) : Number.POSITIVE_INFINITY };
  });
  const best = wholes.reduce((least, one) => (one.value < least.value ? one : least));
  return Number.isFinite(best.value) ? best.placement : null;
}

/** The layer cut with the least latency, or the least energy; null: none meets the deadline, fits in memory, or has the links. */
export function bestCut(
  graph: CostGraph,
  { order = stageOrder(graph), objective = 'latency', deadline, budget = BUDGET }: CutOptions = {},
): Placed | null {
  const placements = new PlacementProgram(graph, order);
  placements.demandMemory();
  if (deadline !== undefined) placements.program.atLeast(constant(deadline), placements.seconds());
  const least = objective === 'latency' ? placements.seconds() : placements.joules();
  const known = bestWhole(
    graph,
    order,
    ({ seconds, joules }) => (objective === 'latency' ? seconds : joules),
    deadline,
  );
  return placements.best(least, budget, known);
}
