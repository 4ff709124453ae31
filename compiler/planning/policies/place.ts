/** What the policies share that place whole operators: a placement as a plan, and why there is none. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { CostGraph } from '../cost-graph.ts';
import type { CutOptions } from '../placement/best-cut.ts';
import type { Placement } from '../placement/evaluate.ts';
import { whyInfeasible } from '../placement/infeasible.ts';
import type { Placed } from '../placement/placement-program.ts';
import type { Plan } from '../plan.ts';
import { policyError } from './policy.ts';

export const planOfPlacement = (cluster: Cluster, { operators }: CostGraph, placement: Placement): Plan['operators'] =>
  Object.fromEntries(operators.map(({ name }, i) => [name, cluster.devices[placement[i]!]!.name]));

/** Everything on one device. */
export const allOn = (cluster: Cluster, graph: CostGraph, device: number): Plan['operators'] =>
  planOfPlacement(
    cluster,
    graph,
    graph.operators.map(() => device),
  );

/** @throws policy where there is no placement */
export function planOfBest(
  policy: string,
  cluster: Cluster,
  graph: CostGraph,
  best: Placed | null,
  options: CutOptions = {},
): Plan['operators'] {
  if (best) return planOfPlacement(cluster, graph, best.placement);
  throw policyError(
    policy,
    whyInfeasible(graph, options),
    'ask for less, give devices more memory or links, or let operators be split: spatial, hybrid',
  );
}
