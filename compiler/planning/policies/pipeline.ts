/** A stage for each device, or for several that share its layers, as many inferences a second as possible. */
import { costGraphOf } from '../cost-graph.ts';
import { stagesOf } from '../layout/stages.ts';
import { stageOrder } from '../placement/best-cut.ts';
import { bestPipeline } from '../placement/best-pipeline.ts';
import { loadSolver } from '../placement/linear-program.ts';
import { bestLayouts, bestPlan, candidate, graphsOf } from './layouts.ts';
import { planOfBest, planOfPlacement } from './place.ts';
import type { Policy } from './policy.ts';

/** A start for the search may be so much worse than the best stages of whole operators. */
const SLACK = 1.25;

export const pipeline: Policy = {
  name: 'pipeline',
  objective: 'throughput',
  summary: 'a stage for each device, or for several that share it, as many inferences a second as possible',
  async plan(program, cluster, _, request, judge) {
    await loadSolver();
    const graph = costGraphOf(program, cluster, { bytesPerFloat: request.bytesPerFloat });
    const best = bestPipeline(graph);
    if (!judge) return planOfBest('pipeline', cluster, graph, best);
    const layouts = await bestLayouts(cluster, graphsOf(program, cluster, request), request, {
      hints: (layers) => stagesOf(layers, stageOrder(graph), best ? SLACK * best.cost.interval : undefined),
    });
    const known = best && candidate(planOfPlacement(cluster, graph, best.placement), judge);
    return bestPlan(layouts, judge, known)?.operators ?? planOfBest('pipeline', cluster, graph, best);
  },
};
