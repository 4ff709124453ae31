/** Kernel-level: any share of any operator on any device, halos sent or computed again, bands that overlap with transfers. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import { formatMilliseconds } from '../../cluster/units.ts';
import type { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import { costsOf } from '../costs/costs.ts';
import type { Orientation } from '../layout/axis.ts';
import { boundOf } from '../layout/bound.ts';
import { areAlike, type LayerGraph, layerGraphOf, NO_LINK } from '../layout/layers.ts';
import { planOf } from '../layout/layout.ts';
import type { Prediction } from '../layout/predict.ts';
import { type Finalist, Search } from '../layout/search.ts';
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
/** Lowered, a layout takes at least about this share of what was predicted. */
const CLOSE = 0.98;
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
): Promise<{ graph: LayerGraph; finalists: readonly Finalist[] }> {
  const objective = objectiveValue(cluster, request);
  let best: { readonly graph: LayerGraph; readonly search: Search } | null = null;
  for (const graph of graphs) {
    const search = new Search(graph, objective);
    search.start(best?.search.worst);
    if (!best || search.value < best.search.value) best = { graph, search };
    await turn();
  }
  const { graph, search } = best!;
  await improve(search, Math.min(MOST_TRIES, Math.round(EFFORT / graph.layers.length)), request);
  return { graph, finalists: search.finalists(FINALISTS) };
}

/** A graph for each axis; one that says the same as the first is left out. */
function graphsOf(program: Program<'imported'>, cluster: Cluster, { bytesPerFloat }: Request): LayerGraph[] {
  const costs = costsOf(program, cluster);
  const graphs = ORIENTATIONS.map((orientation) =>
    layerGraphOf(program, cluster, costs, { orientation, bytesPerFloat }),
  );
  return graphs.filter((graph, i) => i === 0 || !areAlike(graph, graphs[0]!));
}

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
    const { graph, finalists } = await bestLayouts(cluster, graphsOf(program, cluster, request), request);
    const [first, ...others] = finalists;
    if (!first) throw await noneWithin(program, cluster, request);
    let best = planOf(graph, first.layout);
    if (!judge || others.length === 0) return best;
    let least = judge(best);
    for (const { layout, value } of others) {
      // What layouts leave out takes time: lowered, neither this one nor those after it will take much less than predicted.
      if (CLOSE * value >= least) break;
      const plan = planOf(graph, layout);
      const lowered = judge(plan);
      if (lowered < least) [best, least] = [plan, lowered];
    }
    return best;
  },
};
