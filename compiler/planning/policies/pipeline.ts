/** A stage for each device, in their order, as many inferences a second as possible. */
import { costGraphOf } from '../cost-graph.ts';
import { bestPipeline } from '../placement/best-pipeline.ts';
import { loadSolver } from '../placement/linear-program.ts';
import { planOfBest } from './place.ts';
import type { Policy } from './policy.ts';

export const pipeline: Policy = {
  name: 'pipeline',
  summary: 'a stage of whole operators for each device, as many inferences a second as possible',
  async plan(program, cluster, _, { bytesPerFloat }) {
    await loadSolver();
    const graph = costGraphOf(program, cluster, { bytesPerFloat });
    return planOfBest('pipeline', cluster, graph, bestPipeline(graph));
  },
};
