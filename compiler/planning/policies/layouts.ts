/** What the policies share that search layouts: where they look, for how long, and which of the best is the plan. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import { costsOf } from '../costs/costs.ts';
import type { Orientation } from '../layout/axis.ts';
import { areAlike, type LayerGraph, layerGraphOf } from '../layout/layers.ts';
import { planOf } from '../layout/layout.ts';
import type { Prediction } from '../layout/predict.ts';
import { type Finalist, Search } from '../layout/search.ts';
import type { LayerSketch, Sketch } from '../layout/sketch.ts';
import type { Plan } from '../plan.ts';
import type { Request } from '../request.ts';
import { deviceJoules } from '../summary.ts';
import type { Judge } from './policy.ts';

/** Axes from which a search may start; the better one is improved. */
const ORIENTATIONS: readonly Orientation[] = ['rows', 'columns'];
/** Layers looked at in one search; a try looks at all of them. */
const EFFORT = 100_000;
const MOST_TRIES = 4000;
/** Layouts that are lowered before one is chosen: what layouts leave out (waits in order, joins of pieces) then counts. */
const FINALISTS = 4;
/** Lowered, a layout takes at least about this share of what was predicted. */
const CLOSE = 0.98;
const SEED = 1;
/** Tries between two looks at the clock. */
const STEP = 25;
/** Of equal throughput the least work, else a search does not get on where two devices are equally busy. */
const WORK = 1e-3;

/** What a search makes small. Links' own energy is left to the judge of the whole plan. */
function objectiveValue(
  cluster: Cluster,
  { objective, deadline = Number.POSITIVE_INFINITY }: Request,
  { room = 1 }: SearchOptions,
) {
  const limits = cluster.devices.map(({ memory = Number.POSITIVE_INFINITY }) => room * memory);
  return (prediction: Prediction): number => {
    const { seconds, busy, sending, receiving, memory } = prediction;
    if (seconds > deadline || memory.some((bytes, device) => bytes > limits[device]!)) return Number.POSITIVE_INFINITY;
    if (objective === 'energy') return deviceJoules(cluster, prediction) ?? Number.POSITIVE_INFINITY;
    if (objective !== 'throughput') return seconds;
    const work = busy.reduce((sum, one) => sum + one, 0) / busy.length;
    return Math.max(...busy, ...sending, ...receiving) + WORK * work;
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

export interface Layouts {
  readonly graph: LayerGraph;
  /** The best one first; empty: none is allowed. */
  readonly finalists: readonly Finalist[];
}

export interface SearchOptions {
  /** Where to begin, beside the search's own starting points. */
  readonly hints?: (graph: LayerGraph) => readonly Sketch[];
  /** Share of devices' memory for what predictions count: weights and single pieces. Default: 1. */
  readonly room?: number;
}

/** The best layouts that a search finds; of fixed effort, the same program and cluster give the same. */
export async function bestLayouts(
  cluster: Cluster,
  graphs: readonly LayerGraph[],
  request: Request = {},
  options: SearchOptions = {},
): Promise<Layouts> {
  const objective = objectiveValue(cluster, request, options);
  let best: { readonly graph: LayerGraph; readonly search: Search } | null = null;
  for (const graph of graphs) {
    const search = new Search(graph, objective, SEED, options.hints?.(graph));
    search.start(best?.search.worst);
    if (!best || search.value < best.search.value) best = { graph, search };
    await turn();
  }
  const { graph, search } = best!;
  await improve(search, Math.min(MOST_TRIES, Math.round(EFFORT / graph.layers.length)), request);
  return { graph, finalists: search.finalists(FINALISTS) };
}

/** A plan that is allowed, and what it comes to. */
export interface Candidate {
  readonly operators: Plan['operators'];
  readonly value: number;
}

export function candidate(operators: Plan['operators'], judge: Judge): Candidate | null {
  const value = judge(operators);
  return value < Number.POSITIVE_INFINITY ? { operators, value } : null;
}

/** The best of layouts and of what is known, as judged. */
export function bestPlan({ graph, finalists }: Layouts, judge: Judge, known: Candidate | null): Candidate | null {
  let best = known;
  for (const { layout, value } of finalists) {
    // What layouts leave out takes time: lowered, neither this one nor those after it will take much less than predicted.
    if (best && CLOSE * value >= best.value) break;
    const lowered = candidate(planOf(graph, layout), judge);
    if (lowered && (!best || lowered.value < best.value)) best = lowered;
  }
  return best;
}

/** Whole layers where a plan has the first operators of each. */
export function sketchOf({ layers, cluster: { devices } }: LayerGraph, operators: Plan['operators']): Sketch {
  const sketches = devices.map((_, device): LayerSketch => {
    const borders = devices.slice(1).map((_, border) => (border < device ? 0 : 1));
    return { borders, beyond: 'halo', bands: 1 };
  });
  const place = new Map(devices.map(({ name }, i) => [name, i]));
  const whole = layers.map(({ cuts }) => {
    const parts = operators[cuts[0]!.operator.origin]!;
    return sketches[place.get(typeof parts === 'string' ? parts : parts[0]!.device)!]!;
  });
  return { layers: whole, downwards: true };
}

/** A graph for each axis; one that says the same as the first is left out. */
export function graphsOf(program: Program<'imported'>, cluster: Cluster, { bytesPerFloat }: Request): LayerGraph[] {
  const costs = costsOf(program, cluster);
  const graphs = ORIENTATIONS.map((orientation) =>
    layerGraphOf(program, cluster, costs, { orientation, bytesPerFloat }),
  );
  return graphs.filter((graph, i) => i === 0 || !areAlike(graph, graphs[0]!));
}
