/** The pipeline with the highest throughput: inferences follow each other through the stages; exact on any graph. */
import type { CostGraph } from '../cost-graph.ts';
import { BUDGET, stageOrder } from './best-cut.ts';
import { contiguousPipeline } from './contiguous.ts';
import { costOf } from './evaluate.ts';
import { constant, type Linear, times, variable } from './linear-program.ts';
import { type Placed, PlacementProgram } from './placement-program.ts';

export interface PipelineOptions {
  /** Devices of the stages, each once; a stage may be empty. Default: {@link stageOrder}. */
  readonly order?: readonly number[];
  /** False: a device may be visited again and again. */
  readonly forward?: boolean;
  /** Seconds for the search. Default: {@link BUDGET}. */
  readonly budget?: number;
}

/** Of equal throughput within this share, the least latency. */
const TIE = 1e-6;

/**
 * Least seconds between two results, within every device's memory, and of equals the least latency; null: nothing fits, or no link
 * joins what must be. `proven` is about the former.
 */
export function bestPipeline(
  graph: CostGraph,
  { order = stageOrder(graph), forward = true, budget = BUDGET }: PipelineOptions = {},
): Placed | null {
  const end = performance.now() + 1e3 * budget;
  const known = contiguousPipeline(graph, order, TIE);
  const enough = known ? costOf(graph, known).interval : undefined;
  const placements = new PlacementProgram(graph, order, forward, enough);
  const interval = demandInterval(placements, graph, order);
  placements.demandMemory();
  if (enough !== undefined) placements.program.atLeast(constant(enough * (1 + TIE)), interval);
  const found = placements.best(interval, budget, known, true);
  if (!found) return null;
  const start = known ? quicker(found, { ...found, placement: known, cost: costOf(graph, known) }) : found;
  const left = (end - performance.now()) / 1e3;
  if (left <= 0) return start;
  // A search of its own: as a small addend of the first one's objective, latency is lost in the solver's tolerances.
  placements.program.atLeast(constant(start.cost.interval * (1 + TIE)), interval);
  const quickest = placements.best(placements.seconds(), left, start.placement, true);
  return quickest ? quicker(start, { ...quickest, proven: found.proven }) : start;
}

/** The other one, where it has no lower throughput and less latency: the solver's tolerances may be wider than {@link TIE}. */
const quicker = (one: Placed, other: Placed): Placed =>
  other.cost.interval <= one.cost.interval * (1 + TIE) && other.cost.seconds < one.cost.seconds ? other : one;

/** A variable that is at least what every device and link direction needs for an inference. */
function demandInterval(placements: PlacementProgram, graph: CostGraph, order: readonly number[]): Linear {
  const { program } = placements;
  // In the seconds of a single device, so that the solver's absolute tolerances are shares of it.
  const alone = (device: number) => graph.operators.reduce((total, { seconds }) => total + seconds[device]!, 0);
  const unit = Math.min(...order.map(alone));
  const interval = times(unit, variable(program.variable({ upper: Number.POSITIVE_INFINITY })));
  for (const device of order) program.atLeast(interval, placements.atWork(device));
  for (const busy of placements.queues()) program.atLeast(interval, busy);
  return interval;
}
