/** Throughput of the best cut over that of the better platform alone: in one order of layers, in any, and with more cuts. */
import type { CostGraph } from '../../../compiler/planning/cost-graph.ts';
import { paretoFront } from '../../../compiler/planning/pareto/pareto.ts';
import { bestPipeline } from '../../../compiler/planning/placement/best-pipeline.ts';
import { costOf, type Placement } from '../../../compiler/planning/placement/evaluate.ts';
import type { Network } from './network.ts';

export interface Gain {
  /** Percent more than the better platform alone. */
  readonly percent: number;
  /** The last convolution of each stage but the last, in the network's order. */
  readonly cuts: readonly string[];
  /** Nothing better exists. */
  readonly proven: boolean;
}

export interface Gains {
  /** Inferences a second of each platform alone. */
  readonly alone: readonly number[];
  /** One cut of the logged order. */
  readonly one: Gain;
  /** One cut through the graph: branches side by side may end on either side. */
  readonly branches: Gain;
  /** Three stages in the logged order, two of them on one platform. */
  readonly two: Gain;
  /** Any layer on either platform. */
  readonly any: Gain;
  /** Percent that nothing exceeds, though layers be shared in whatever proportion. */
  readonly bound: number;
}

/** @param graph of the network */
export function gainsOf({ layers }: Network, graph: CostGraph): Gains {
  const alone = graph.devices.map(
    (_, device) =>
      costOf(
        graph,
        graph.operators.map(() => device),
      ).interval,
  );
  const better = Math.min(...alone);
  const gain = (placement: Placement, proven: boolean): Gain => ({
    percent: 100 * (better / costOf(graph, placement).interval - 1),
    cuts: layers.flatMap(({ name, type }, i) => (type === 'Conv' && endsStage(i, placement) ? [name] : [])),
    proven,
  });
  // Layers of other types cost nothing: the next convolution says which platform a stage is on.
  const endsStage = (i: number, placement: Placement): boolean => {
    const next = layers.findIndex(({ type }, later) => later > i && type === 'Conv');
    return next >= 0 && placement[next] !== placement[i];
  };
  const ofStages = (stages: number) => {
    const options = {
      objectives: ['throughput'],
      platforms: stages > 2 ? 'repeat' : 'fixed',
      stages,
      most: 200_000,
    } as const;
    const { points, exact } = paretoFront(graph, options);
    return gain(points[0]!.placement, exact);
  };
  const ofPipeline = (forward: boolean) => {
    const best = bestPipeline(graph, { forward, budget: 120 });
    return gain(best!.placement, best!.proven);
  };
  return {
    alone: alone.map((seconds) => 1 / seconds),
    one: ofStages(2),
    branches: ofPipeline(true),
    two: ofStages(3),
    any: ofPipeline(false),
    bound: 100 * (better / sharedInterval(graph) - 1),
  };
}

/** Least seconds between results if layers could be shared in any proportion and links cost nothing: a fractional knapsack. */
function sharedInterval({ operators }: CostGraph): number {
  const layers = operators.map(({ seconds }) => seconds).filter(([first]) => first! > 0);
  // What the first platform is best at goes there, until both are as busy.
  const sorted = layers.toSorted((a, b) => a[0]! / a[1]! - b[0]! / b[1]!);
  let [first, second] = [0, layers.reduce((sum, seconds) => sum + seconds[1]!, 0)];
  for (const [a, b] of sorted) {
    const share = Math.min(1, (second - first) / (a! + b!));
    first += share * a!;
    second -= share * b!;
    if (share < 1) break;
  }
  return Math.max(first, second);
}
