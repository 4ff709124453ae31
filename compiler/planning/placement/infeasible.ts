/** Why no placement meets what is asked: the limit, what is needed and what there is. */
import { formatBytes, formatMilliseconds } from '../../cluster/units.ts';
import type { CostGraph } from '../cost-graph.ts';
import { bestCut, type CutOptions } from './best-cut.ts';
import { workingBytes } from './evaluate.ts';

/** The operator that needs more than any device has, even alone. */
function hungriest(graph: CostGraph): string | undefined {
  const most = Math.max(...graph.devices.map(({ memory }) => memory));
  const working = workingBytes(graph);
  for (const [i, { name, weightBytes }] of graph.operators.entries()) {
    const alone = weightBytes.map((weights, device) => weights + working[device]![i]!);
    const needed = Math.min(...alone);
    if (needed > most) {
      return `"${name}" needs ${formatBytes(needed)} for its weights and what exists beside it, no device has more than ${formatBytes(most)}`;
    }
  }
  return undefined;
}

function memoryMissing(graph: CostGraph): string | undefined {
  const limits = graph.devices.map(({ memory }) => memory);
  if (limits.includes(Number.POSITIVE_INFINITY)) return undefined;
  const one = hungriest(graph);
  if (one) return one;
  const needed = graph.operators.reduce((total, { weightBytes }) => total + Math.min(...weightBytes), 0);
  const available = limits.reduce((total, limit) => total + limit, 0);
  return needed > available
    ? `the weights need ${formatBytes(needed)}, all devices together have ${formatBytes(available)}`
    : undefined;
}

/** One sentence, for a request that {@link bestCut} or the pipeline could not meet. */
export function whyInfeasible(graph: CostGraph, options: CutOptions = {}): string {
  const missing = memoryMissing(graph);
  if (missing) return missing;
  const { deadline, ...rest } = options;
  if (deadline !== undefined) {
    const fastest = bestCut(graph, { ...rest, objective: 'latency' });
    if (fastest) {
      return `the fastest takes ${formatMilliseconds(fastest.cost.seconds)}, ${formatMilliseconds(deadline)} are allowed`;
    }
  }
  const limits = graph.devices.filter(({ memory }) => Number.isFinite(memory));
  const stages = limits.map(({ name, memory }) => `${name} ${formatBytes(memory)}`).join(', ');
  return stages
    ? `no stages of whole operators fit in the devices' memory (${stages})`
    : 'no links join the devices that stages of whole operators need';
}
