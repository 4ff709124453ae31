/** What the bench compares: one interface for baselines and planners, and the baselines. */
import { type Cluster, linkBetween } from '../../../compiler/cluster/cluster.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { type CostGraph, costGraphOf } from '../../../compiler/planning/cost-graph.ts';
import type { Costs } from '../../../compiler/planning/costs/costs.ts';
import { ROBOT, SERVER } from './costs.ts';
import { bestLayerCut, type LayerCut, perReader } from './layer-cut.ts';

/** The robot board's power in watts; NaN where nobody measured it. */
export interface BoardPower {
  readonly computing: number;
  /** Also while it sends or receives. */
  readonly waiting: number;
}

export interface Options {
  readonly power: BoardPower;
  /** What an element becomes on the link. */
  readonly transfer: 'float32' | 'float16';
  /** `drop`: tiles compute with zeros where a neighbour's rows would be, as published. */
  readonly halo: 'exact' | 'drop';
}

/** One inference. */
export interface Outcome {
  readonly seconds: number;
  /** Of the robot. */
  readonly joules: number;
  /** On the link, both directions. */
  readonly bytes: number;
  /** No plan of this kind takes fewer seconds. */
  readonly bound?: number;
}

export type Planner = (
  program: Program<'imported'>,
  cluster: Cluster,
  costs: Costs,
  options: Options,
) => Outcome | Promise<Outcome>;

export interface Method {
  readonly name: string;
  readonly kind: 'baseline' | 'ours';
  readonly planner: Planner;
  readonly options: Omit<Options, 'power'>;
}

const exact: Method['options'] = { transfer: 'float32', halo: 'exact' };

/** What the robot uses in `seconds`, of which it computes `computing`. */
export const energy = (power: BoardPower, seconds: number, computing: number): number =>
  power.computing * computing + power.waiting * (seconds - computing);

/** A baseline that places whole operators. */
const placed =
  (place: (graph: CostGraph, bandwidth: number, robot: number, server: number) => LayerCut): Planner =>
  (program, cluster, costs, { power }) => {
    const index = (name: string) => cluster.devices.findIndex((device) => device.name === name);
    const bandwidth = linkBetween(cluster, ROBOT, SERVER)?.bandwidth ?? 0;
    const graph = costGraphOf(program, cluster, { costs });
    const { seconds, computing, bytes } = place(graph, bandwidth, index(ROBOT), index(SERVER));
    return { seconds, bytes, joules: energy(power, seconds, computing) };
  };

const total = (graph: CostGraph, device: number) =>
  graph.operators.reduce((sum, { seconds }) => sum + seconds[device]!, 0);

export const local = placed((graph, _, robot) => {
  const seconds = total(graph, robot);
  return { at: graph.operators.length, seconds, computing: seconds, bytes: 0 };
});

/** Infinite without a link. */
export const offload = placed((graph, bandwidth, _, server) => {
  const ends = graph.tensors.filter(({ maker, wanted }) => maker === null || wanted);
  const bytes = ends.reduce((sum, tensor) => sum + tensor.bytes[0]!, 0);
  return { at: 0, seconds: total(graph, server) + bytes / bandwidth, computing: 0, bytes };
});

export const layerCut = placed(bestLayerCut);
/** As DSCCS predicts it. */
export const publishedCut = placed((graph, ...rest) => bestLayerCut(perReader(graph), ...rest));

const baseline = (name: string, planner: Planner): Method => ({ name, kind: 'baseline', planner, options: exact });

export const LAYER_CUT = 'best layer cut';
export const baselines: readonly Method[] = [
  baseline('local', local),
  baseline('offload', offload),
  baseline('layer cut as published', publishedCut),
  baseline(LAYER_CUT, layerCut),
];

export const DROPPED = 'halo dropped';
/** The three ways to ask one planner. */
export const oursOf = (planner: Planner): readonly Method[] => [
  { name: 'exact', kind: 'ours', planner, options: exact },
  { name: 'exact, 16-bit transfers', kind: 'ours', planner, options: { ...exact, transfer: 'float16' } },
  { name: DROPPED, kind: 'ours', planner, options: { ...exact, halo: 'drop' } },
];
