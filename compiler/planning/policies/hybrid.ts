/** Kernel-level: any share of any operator on any device, halos sent or computed again, bands that overlap with transfers. */
import type { Cluster } from '../../cluster/cluster.ts';
import { formatBytes, formatMilliseconds } from '../../cluster/units.ts';
import { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import { costGraphOf } from '../cost-graph.ts';
import { boundOf } from '../layout/bound.ts';
import { type LayerGraph, NO_LINK } from '../layout/layers.ts';
import { planOf } from '../layout/layout.ts';
import { bestCut } from '../placement/best-cut.ts';
import { loadSolver } from '../placement/linear-program.ts';
import type { Plan } from '../plan.ts';
import type { Request } from '../request.ts';
import { bestLayouts, bestPlan, candidate, graphsOf, sketchOf } from './layouts.ts';
import { planOfPlacement } from './place.ts';
import { type Policy, policyError } from './policy.ts';

/** Seconds that no layout is below, whichever axis it cuts. */
export async function lowerBound(
  program: Program<'imported'>,
  cluster: Cluster,
  request: Request = {},
): Promise<number> {
  await loadSolver();
  return Math.min(...graphsOf(program, cluster, request).map((graph) => boundOf(graph).seconds));
}

/** The best layer cut, which a layout is to beat; null: there is none, or none is found in time. */
async function layerCut(
  program: Program<'imported'>,
  cluster: Cluster,
  { objective, deadline, bytesPerFloat }: Request,
): Promise<Plan['operators'] | null> {
  await loadSolver();
  const graph = costGraphOf(program, cluster, { bytesPerFloat });
  try {
    const best = bestCut(graph, { objective: objective === 'energy' ? objective : 'latency', deadline });
    return best && planOfPlacement(cluster, graph, best.placement);
  } catch (error) {
    if (error instanceof CompileError && error.code === 'search-time') return null;
    throw error;
  }
}

/** Shares of devices' memory for what predictions count: lowered, plans need more, how much more depends on the plan. */
const ROOMS = [1, 0.85, 0.7, 0.55];

/** Why there is no layout: what is needed and what is allowed, as far as weights and the bound tell. */
async function noneWithin(program: Program<'imported'>, cluster: Cluster, request: Request): Promise<CompileError> {
  const none = (why: string) => policyError('hybrid', why, 'ask for less, or give devices more memory, speed or links');
  const graphs = graphsOf(program, cluster, request);
  const needed = Math.min(...graphs.map(({ layers }) => layers.reduce((sum, { weightBytes }) => sum + weightBytes, 0)));
  const available = cluster.devices.reduce((sum, { memory = Number.POSITIVE_INFINITY }) => sum + memory, 0);
  if (needed > available)
    return none(`the weights need ${formatBytes(needed)}, all devices together have ${formatBytes(available)}`);
  const bound = await lowerBound(program, cluster, request);
  if (bound >= NO_LINK) return none('no links lead from the inputs to the outputs');
  const { deadline } = request;
  const allowed =
    deadline === undefined
      ? ''
      : `: none takes less than ${formatMilliseconds(bound)}, ${formatMilliseconds(deadline)} are allowed`;
  const limits = cluster.devices.flatMap(({ name, memory }) =>
    memory === undefined ? [] : [`${name} ${formatBytes(memory)}`],
  );
  const memory = limits.length > 0 ? `; devices' memory: ${limits.join(', ')}` : '';
  return none(`the search met no layout within the limits${allowed}${memory}`);
}

export const hybrid: Policy = {
  name: 'hybrid',
  summary: 'any share of any operator on any device, in bands that overlap with transfers; searched for least latency',
  async plan(program, cluster, _, request, judge) {
    const graphs = graphsOf(program, cluster, request);
    const isLimited = cluster.devices.some(({ memory }) => memory !== undefined);
    const cut = await layerCut(program, cluster, request);
    const hints = (graph: LayerGraph) => (cut ? [sketchOf(graph, cut)] : []);
    const known = cut && judge ? candidate(cut, judge) : null;
    let first: Plan['operators'] | undefined;
    for (const room of isLimited ? ROOMS : ROOMS.slice(0, 1)) {
      const found = await bestLayouts(cluster, graphs, request, { room, hints });
      const [best] = found.finalists;
      if (!best) break;
      first ??= planOf(found.graph, best.layout);
      const better = judge && bestPlan(found, judge, known);
      if (!judge || (better && better !== known)) return better?.operators ?? first;
    }
    // One that is not allowed: lowered, it says by how much.
    const last = known?.operators ?? first;
    if (last) return last;
    throw await noneWithin(program, cluster, request);
  },
};
