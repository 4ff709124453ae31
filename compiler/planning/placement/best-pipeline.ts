/** The pipeline with the highest throughput: inferences follow each other through the stages; exact on any graph. */
import type { CostGraph } from '../cost-graph.ts';
import { type Placed, stageOrder } from './best-cut.ts';
import { costOf } from './evaluate.ts';
import { sum, times, variable } from './linear-program.ts';
import { PlacementProgram } from './placement-program.ts';

export interface PipelineOptions {
  /** Devices of the stages, each once; a stage may be empty. Default: {@link stageOrder}. */
  readonly order?: readonly number[];
  /** False: a device may be visited again and again. */
  readonly forward?: boolean;
  /** Seconds for the search. */
  readonly budget?: number;
}

/** Of equal throughput within this share, the least latency. */
const TIE = 1e-6;

/** Least seconds between two results, within every device's memory; null: nothing fits, or no link joins what must be. */
export function bestPipeline(
  graph: CostGraph,
  { order = stageOrder(graph), forward = true, budget = 60 }: PipelineOptions = {},
): Placed | null {
  const placements = new PlacementProgram(graph, order, forward);
  const { program } = placements;
  // In the seconds of a single device, so that the solver's absolute tolerances are shares of it.
  const alone = (device: number) => graph.operators.reduce((total, { seconds }) => total + seconds[device]!, 0);
  const unit = Math.min(...order.map(alone));
  const interval = times(unit, variable(program.variable({ upper: Number.POSITIVE_INFINITY })));
  for (const device of order) program.atLeast(interval, placements.busy(device));
  for (const busy of placements.queues()) program.atLeast(interval, busy);
  placements.demandMemory();
  const solution = program.minimise(sum([interval, times(TIE, placements.seconds())]), budget);
  if (!solution) return null;
  const placement = placements.placementOf(solution);
  return { placement, cost: costOf(graph, placement), proven: solution.proven };
}
