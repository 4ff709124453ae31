/** Everything on another device than the one that holds the inputs: the one from which the outputs come back first. */
import { costGraphOf } from '../cost-graph.ts';
import { costOf } from '../placement/evaluate.ts';
import { allOn } from './place.ts';
import { type Policy, policyError } from './policy.ts';

export const offload: Policy = {
  name: 'offload',
  summary: 'everything on the one other device that is fastest, transfers included',
  plan(program, cluster, _, { bytesPerFloat }) {
    const graph = costGraphOf(program, cluster, { bytesPerFloat });
    const others = [...graph.devices.keys()].filter((device) => device !== graph.inputs);
    const costs = others.map(
      (device) =>
        costOf(
          graph,
          graph.operators.map(() => device),
        ).seconds,
    );
    const least = Math.min(...costs);
    if (!Number.isFinite(least)) {
      const holder = cluster.inputs;
      const message =
        others.length === 0 ? `there is no device beside ${holder}` : `no other device has links to inputs and outputs`;
      throw policyError('offload', message, 'add a device or a link to the cluster file, or use local');
    }
    return allOn(cluster, graph, others[costs.indexOf(least)]!);
  },
};
