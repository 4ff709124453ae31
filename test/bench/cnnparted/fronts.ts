/** Pareto fronts of a graph's cuts, and what a second cut adds. */
import type { CostGraph } from '../../../compiler/planning/cost-graph.ts';
import { dominates } from '../../../compiler/planning/pareto/front.ts';
import { type Objective, paretoFront } from '../../../compiler/planning/pareto/pareto.ts';
import { costOf, type PlacementCost } from '../../../compiler/planning/placement/evaluate.ts';

export interface Fronts {
  /** Points of the front of all objectives with one cut at most, and how many cuts there are. */
  readonly one: number;
  readonly ofOne: number;
  /** Whether those are the points that no other cut dominates, found by comparing each with each. */
  readonly equal: boolean;
  /** Points of the front without memory with two cuts at most, and how many ways there are. */
  readonly two: number;
  readonly ofTwo: number;
  /** Points of the front without memory with one cut that one with two dominates. */
  readonly beaten: number;
}

const speedy = ['latency', 'energy', 'throughput', 'link-bytes'] as const satisfies Objective[];
const withoutMemory = ({ seconds, joules, interval, linkBytes }: PlacementCost) => [
  seconds,
  joules,
  interval,
  linkBytes,
];
const all = (cost: PlacementCost) => [...withoutMemory(cost), ...cost.memory];

/** All cuts of two platforms in a fixed order, and everything on either, each compared with each. */
function bruteForce(graph: CostGraph): string[] {
  const operators = graph.operators.map((_, i) => i);
  const points = [...operators, operators.length].map((cut) =>
    all(
      costOf(
        graph,
        operators.map((i) => (i < cut ? 0 : 1)),
      ),
    ),
  );
  return points.filter((point) => !points.some((other) => dominates(other, point))).map(String);
}

export function frontsOf(graph: CostGraph): Fronts {
  const one = paretoFront(graph);
  const found = one.points.map(({ cost }) => String(all(cost)));
  const narrow = paretoFront(graph, { objectives: speedy });
  const two = paretoFront(graph, { objectives: speedy, platforms: 'repeat', stages: 3, most: 200_000 });
  const better = two.points.map(({ cost }) => withoutMemory(cost));
  return {
    one: one.points.length,
    ofOne: one.size,
    equal: one.exact && String(found.sort()) === String(bruteForce(graph).sort()),
    two: two.points.length,
    ofTwo: two.size,
    beaten: narrow.points.filter(({ cost }) => better.some((point) => dominates(point, withoutMemory(cost)))).length,
  };
}
