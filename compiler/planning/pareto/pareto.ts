/** The Pareto front of a graph's cuts: what cannot be had faster, thriftier or smaller without giving up something else. */
import { generator } from '../../../runtime/random.ts';
import type { CostGraph } from '../cost-graph.ts';
import { costOf, type Placement, type PlacementCost } from '../placement/evaluate.ts';
import { CutBreeder, type CutSpace, type Cuts, everyCut, type Platforms, placementOf, sizeOf } from './cut-space.ts';
import { nonDominated } from './front.ts';
import { nsga2 } from './nsga2.ts';

/** What is to be small. */
const OBJECTIVES = {
  latency: ({ seconds }: PlacementCost) => [seconds],
  energy: ({ joules }: PlacementCost) => [joules],
  throughput: ({ interval }: PlacementCost) => [interval],
  'link-bytes': ({ linkBytes }: PlacementCost) => [linkBytes],
  memory: ({ memory }: PlacementCost) => memory,
} as const satisfies Record<string, (cost: PlacementCost) => readonly number[]>;

export type Objective = keyof typeof OBJECTIVES;
export const objectiveNames = Object.keys(OBJECTIVES) as Objective[];

export interface ParetoOptions {
  /** Default: all of them; memory counts for each device. */
  readonly objectives?: readonly Objective[];
  /** Default: fixed. */
  readonly platforms?: Platforms;
  /** Most stages. Default: one for each device. */
  readonly stages?: number;
  /** Up to so many cuts all are tried; of more, NSGA-II meets this number at most. Default: 50,000. */
  readonly most?: number;
  readonly seed?: number;
}

export interface ParetoPoint {
  readonly cuts: Cuts;
  readonly placement: Placement;
  readonly cost: PlacementCost;
}

export interface ParetoFront {
  readonly points: readonly ParetoPoint[];
  /** Every cut was tried; else points may be missing, but none is dominated by another that is here. */
  readonly exact: boolean;
  /** Cuts there are. */
  readonly size: number;
}

/** Share of the limits by which a placement misses them; infinite where no link joins devices that must exchange something. */
function excessOf({ devices }: CostGraph, { memory, seconds }: PlacementCost): number {
  if (!Number.isFinite(seconds)) return Number.POSITIVE_INFINITY;
  return devices.reduce((sum, device, d) => sum + Math.max(0, memory[d]! / device.memory - 1), 0);
}

/** Points within every device's memory; none, where nothing fits. */
export function paretoFront(graph: CostGraph, options: ParetoOptions = {}): ParetoFront {
  const { objectives = objectiveNames, platforms = 'fixed', stages = graph.devices.length } = options;
  const { most = 50_000, seed = 1 } = options;
  const space = { operators: graph.operators.length, devices: graph.devices.length, platforms, stages };
  const values = (cost: PlacementCost) => objectives.flatMap((name) => OBJECTIVES[name](cost));
  const judged = (cuts: Cuts) => ({ cuts, cost: costOf(graph, placementOf(cuts, space.operators)) });
  const pointOf = (one: ReturnType<typeof judged>): ParetoPoint => ({
    ...one,
    placement: placementOf(one.cuts, space.operators),
  });
  const size = sizeOf(space);
  if (size <= most) {
    const fitting = [...everyCut(space)].map(judged).filter(({ cost }) => excessOf(graph, cost) === 0);
    return { points: nonDominated(fitting, ({ cost }) => values(cost)).map(pointOf), exact: true, size };
  }
  const random = generator(seed);
  const judge = (cuts: Cuts) => {
    const { cost } = judged(cuts);
    return { objectives: values(cost), excess: excessOf(graph, cost) };
  };
  const { create, cross, mutate } = new CutBreeder(space, random);
  const population = Math.min(200, Math.ceil(Math.sqrt(most)));
  const effort = { population, generations: Math.floor(most / population) - 1, random };
  const found = nsga2({ create, cross, mutate, judge, key: JSON.stringify }, effort, wholes(space));
  return { points: found.map(judged).map(pointOf), exact: false, size };
}

/** Everything on one device. */
const wholes = ({ devices }: CutSpace): Cuts[] =>
  Array.from({ length: devices }, (_, device) => ({ positions: [], devices: [device] }));
