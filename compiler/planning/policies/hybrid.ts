/** Kernel-level: any share of any operator on any device, halos sent or computed again, bands that overlap with transfers. */
import type { Cluster } from '../../cluster/cluster.ts';
import { formatBytes, formatMilliseconds } from '../../cluster/units.ts';
import type { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import { boundOf } from '../layout/bound.ts';
import { NO_LINK } from '../layout/layers.ts';
import { planOf } from '../layout/layout.ts';
import { loadSolver } from '../placement/linear-program.ts';
import type { Plan } from '../plan.ts';
import type { Request } from '../request.ts';
import { bestLayouts, bestPlan, graphsOf } from './layouts.ts';
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
    let first: Plan['operators'] | undefined;
    for (const room of isLimited ? ROOMS : ROOMS.slice(0, 1)) {
      const found = await bestLayouts(cluster, graphs, request, { room });
      const [best] = found.finalists;
      if (!best) break;
      first ??= planOf(found.graph, best.layout);
      if (!judge) break;
      const plan = bestPlan(found, judge);
      if (plan) return plan;
    }
    // One that is not allowed: lowered, it says by how much.
    if (first) return first;
    throw await noneWithin(program, cluster, request);
  },
};
