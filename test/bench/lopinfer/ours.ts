/** Our planner on logged costs: the better of the hybrid search's layout and the best layer cut, which it evaluates too. */

import type { Program } from '../../../compiler/ir/program.ts';
import { boundOf } from '../../../compiler/planning/layout/bound.ts';
import { layerGraphOf } from '../../../compiler/planning/layout/layers.ts';
import { Search } from '../../../compiler/planning/layout/search.ts';
import type { Sketch } from '../../../compiler/planning/layout/sketch.ts';
import { energy, layerCut, local, offload, type Planner } from './methods.ts';

/** Layers looked at while a layout is improved. */
const EFFORT = 100_000;

/** A planner that begins where it ended with the same program at the bandwidth before. */
export function ours(): Planner {
  const known = new WeakMap<Program<'imported'>, Map<string, Sketch>>();
  return async (program, cluster, costs, options) => {
    const { power, transfer, halo } = options;
    const bytesPerFloat = transfer === 'float16' ? 2 : 4;
    const hints = known.get(program) ?? new Map<string, Sketch>();
    known.set(program, hints);
    const key = `${transfer} ${halo}`;
    // Wi-Fi robots send columns; the logs' local axis is the last one too.
    const graph = layerGraphOf(program, cluster, costs, {
      orientation: 'columns',
      dropHalo: halo === 'drop',
      bytesPerFloat,
    });
    const hint = hints.get(key);
    const search = new Search(graph, ({ seconds }) => seconds, 1, hint ? [hint] : []);
    search.start();
    search.improve(Math.round(EFFORT / graph.layers.length));
    const { sketch, value, prediction } = search.best!;
    hints.set(key, sketch);
    const found = {
      seconds: value,
      joules: energy(power, value, prediction.busy[graph.inputs]!),
      bytes: prediction.bytes,
    };
    const whole: Planner[] = [local, offload, layerCut];
    const others = await Promise.all(whole.map((planner) => planner(program, cluster, costs, options)));
    const best = [found, ...others].reduce((a, b) => (b.seconds < a.seconds ? b : a));
    return { ...best, bound: Math.min(boundOf(graph).seconds, best.seconds) };
  };
}
