/** Kernel-level: any share of any operator on any device, halos sent or computed again, bands that overlap with transfers. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import { costsOf } from '../costs/costs.ts';
import type { Orientation } from '../layout/axis.ts';
import { boundOf } from '../layout/bound.ts';
import { type LayerGraph, layerGraphOf } from '../layout/layers.ts';
import { planOf } from '../layout/layout.ts';
import { type Found, Search } from '../layout/search.ts';
import type { Policy } from './policy.ts';

/** Axes from which a search may start; the better one is improved. */
const ORIENTATIONS: readonly Orientation[] = ['rows', 'columns'];
/** Layers looked at in one search; a try looks at all of them. */
const EFFORT = 100_000;
const MOST_TRIES = 4000;

/** The best layout that a search of fixed effort finds: the same program and cluster give the same. */
export function bestLayout(graphs: readonly LayerGraph[]): { graph: LayerGraph; found: Found } {
  const searches = graphs.map((graph) => ({ graph, search: new Search(graph) }));
  for (const { search } of searches) search.start();
  const { graph, search } = searches.reduce((a, b) => (b.search.best!.value < a.search.best!.value ? b : a));
  search.improve(Math.min(MOST_TRIES, Math.round(EFFORT / graph.layers.length)));
  return { graph, found: search.best! };
}

const graphsOf = (program: Program<'imported'>, cluster: Cluster): LayerGraph[] => {
  const costs = costsOf(program, cluster);
  return ORIENTATIONS.map((orientation) => layerGraphOf(program, cluster, costs, { orientation }));
};

/** Seconds that no layout is below, whichever axis it cuts. `loadSolver` comes first. */
export const lowerBound = (program: Program<'imported'>, cluster: Cluster): number =>
  Math.min(...graphsOf(program, cluster).map((graph) => boundOf(graph).seconds));

export const hybrid: Policy = {
  name: 'hybrid',
  summary: 'any share of any operator on any device, in bands that overlap with transfers; searched for least latency',
  plan(program, cluster) {
    const { graph, found } = bestLayout(graphsOf(program, cluster));
    return planOf(graph, found.layout);
  },
};
