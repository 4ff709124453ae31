/** Kernel-level: any share of any operator on any device, halos sent or computed again, bands that overlap with transfers. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { formatMilliseconds } from '../../cluster/units.ts';
import type { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import { costsOf } from '../costs/costs.ts';
import type { Orientation } from '../layout/axis.ts';
import { boundOf } from '../layout/bound.ts';
import { type LayerGraph, layerGraphOf, NO_LINK } from '../layout/layers.ts';
import { type Layout, type Prediction, planOf } from '../layout/layout.ts';
import { Search } from '../layout/search.ts';
import { loadSolver } from '../placement/linear-program.ts';
import type { Request } from '../request.ts';
import { deviceJoules } from '../summary.ts';
import { type Policy, policyError } from './policy.ts';

/** Axes from which a search may start; the better one is improved. */
const ORIENTATIONS: readonly Orientation[] = ['rows', 'columns'];
/** Layers looked at in one search; a try looks at all of them. */
const EFFORT = 100_000;
const MOST_TRIES = 4000;
/** Layouts that are lowered before one is chosen: what layouts leave out (waits in order, joins of pieces) then counts. */
const FINALISTS = 4;
/** Tries between two looks at the clock. */
const STEP = 25;

/** What a search makes small. Links' own energy is left to the judge of the whole plan. */
function objectiveValue(cluster: Cluster, { objective, deadline = Number.POSITIVE_INFINITY }: Request) {
  return (prediction: Prediction): number => {
    if (prediction.seconds > deadline) return Number.POSITIVE_INFINITY;
    if (objective === 'energy') return deviceJoules(cluster, prediction) ?? Number.POSITIVE_INFINITY;
    if (objective === 'throughput') return Math.max(...prediction.busy, ...prediction.sending, ...prediction.receiving);
    return prediction.seconds;
  };
}

/** Goes on in steps until the effort or the budget is spent or the signal comes. */
async function improve(search: Search, effort: number, { budget, signal }: Request): Promise<void> {
  const end = performance.now() + (budget ?? Number.POSITIVE_INFINITY) * 1e3;
  for (let done = 0; budget !== undefined || done < effort; done += STEP) {
    if (signal?.aborted || performance.now() >= end) return;
    search.improve(Math.min(STEP, budget === undefined ? effort - done : STEP));
    // Signals and progress bars have their turn.
    await turn();
  }
}

/**
 * The best layouts that a search finds, the best one first; of fixed effort, the same program and cluster give the same. Empty:
 * none is allowed.
 */
export async function bestLayouts(
  cluster: Cluster,
  graphs: readonly LayerGraph[],
  request: Request = {},
): Promise<{ graph: LayerGraph; layouts: readonly Layout[] }> {
  const objective = objectiveValue(cluster, request);
  const searches = graphs.map((graph) => ({ graph, search: new Search(graph, objective) }));
  for (const { search } of searches) {
    search.start();
    await turn();
  }
  const { graph, search } = searches.reduce((a, b) => (b.search.best!.value < a.search.best!.value ? b : a));
  await improve(search, Math.min(MOST_TRIES, Math.round(EFFORT / graph.layers.length)), request);
  return { graph, layouts: search.finalists(FINALISTS) };
}

const graphsOf = (program: Program<'imported'>, cluster: Cluster, { bytesPerFloat }: Request): LayerGraph[] => {
  const costs = costsOf(program, cluster);
  return ORIENTATIONS.map((orientation) => layerGraphOf(program, cluster, costs, { orientation, bytesPerFloat }));
};

/** Seconds that no layout is below, whichever axis it cuts. */
export async function lowerBound(
  program: Program<'imported'>,
  cluster: Cluster,
  request: Request = {},
): Promise<number> {
  await loadSolver();
  return Math.min(...graphsOf(program, cluster, request).map((graph) => boundOf(graph).seconds));
}

/** Why there is no layout: what is needed and what is allowed, as far as the bound tells. */
async function noneWithin(program: Program<'imported'>, cluster: Cluster, request: Request): Promise<CompileError> {
  const { deadline } = request;
  const hint = 'ask for less, or give devices more memory, speed or links';
  const bound = await lowerBound(program, cluster, request);
  if (bound >= NO_LINK) return policyError('hybrid', 'no links lead from the inputs to the outputs', hint);
  const allowed =
    deadline === undefined
      ? ''
      : `: none takes less than ${formatMilliseconds(bound)}, ${formatMilliseconds(deadline)} are allowed`;
  return policyError('hybrid', `the search met no layout within the limits${allowed}`, hint);
}

export const hybrid: Policy = {
  name: 'hybrid',
  summary: 'any share of any operator on any device, in bands that overlap with transfers; searched for least latency',
  async plan(program, cluster, _, request, judge) {
    const { graph, layouts } = await bestLayouts(cluster, graphsOf(program, cluster, request), request);
    const [first, ...others] = layouts.map((layout) => planOf(graph, layout));
    if (!first) throw await noneWithin(program, cluster, request);
    if (!judge || others.length === 0) return first;
    const judged = [first, ...others].map((plan) => ({ plan, value: judge(plan) }));
    return judged.reduce((a, b) => (b.value < a.value ? b : a)).plan;
  },
};
