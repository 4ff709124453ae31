/** The pipeline with the highest throughput: inferences follow each other through the stages; exact on any graph. */
import type { CostGraph } from '../cost-graph.ts';
import { BUDGET, stageOrder } from './best-cut.ts';
import { contiguousPipeline } from './contiguous.ts';
import { costOf } from './evaluate.ts';
import { constant, sum, times, variable } from './linear-program.ts';
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

/** Least seconds between two results, within every device's memory; null: nothing fits, or no link joins what must be. */
export function bestPipeline(
  graph: CostGraph,
  { order = stageOrder(graph), forward = true, budget = BUDGET }: PipelineOptions = {},
): Placed | null {
  const known = contiguousPipeline(graph, order);
  const enough = known ? costOf(graph, known).interval : undefined;
  const placements = new PlacementProgram(graph, order, forward, enough);
  const { program } = placements;
  // In the seconds of a single device, so that the solver's absolute tolerances are shares of it.
  const alone = (device: number) => graph.operators.reduce((total, { seconds }) => total + seconds[device]!, 0);
  const unit = Math.min(...order.map(alone));
  const interval = times(unit, variable(program.variable({ upper: Number.POSITIVE_INFINITY })));
  for (const device of order) program.atLeast(interval, placements.busy(device));
  for (const busy of placements.queues()) program.atLeast(interval, busy);
  placements.demandMemory();
  if (enough !== undefined) program.atLeast(constant(enough * (1 + TIE)), interval);
  return placements.best(sum([interval, times(TIE, placements.seconds())]), budget, known, true);
}
