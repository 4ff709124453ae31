/** Everything on the device that holds the inputs. */
import { costGraphOf } from '../cost-graph.ts';
import { allOn } from './place.ts';
import type { Policy } from './policy.ts';

export const local: Policy = {
  name: 'local',
  summary: 'everything on the device that holds the inputs',
  plan(program, cluster) {
    const graph = costGraphOf(program, cluster);
    return allOn(cluster, graph, graph.inputs);
  },
};
