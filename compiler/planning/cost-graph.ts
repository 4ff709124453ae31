/**
 * What planners see that place whole operators (layer cuts, pipelines, Pareto fronts): what each operator costs on each device,
 * and what its tensors weigh on a link. Made of a program and a cluster, or of a table of measured layers.
 */
import { type Cluster, linkBetween } from '../cluster/cluster.ts';
import { transferSeconds as linkSeconds } from '../cluster/transfer.ts';
import { type Compute, type Program, reads, tensorOf, wholeValue, writes } from '../ir/program.ts';
import { type Costs, costsOf } from './costs/costs.ts';
import { valueBytes } from './costs/roofline.ts';
import { cutsOf } from './cuts.ts';

export interface CostedOperator {
  readonly name: string;
  /** On each device, in the cluster's order. */
  readonly seconds: readonly number[];
  /** Of the weights it reads, each counted at its first reader. */
  readonly weightBytes: number;
}

export interface CostedTensor {
  readonly name: string;
  readonly bytes: number;
  /** Index of the operator that makes it; null: an input of the model. */
  readonly maker: number | null;
  /** Indices, ascending. */
  readonly readers: readonly number[];
  /** An output of the model. */
  readonly wanted: boolean;
}

export interface CostGraph {
  /** In topological order. */
  readonly operators: readonly CostedOperator[];
  /** Weights and what only weights decide are left out: they never cross a link. */
  readonly tensors: readonly CostedTensor[];
  /** Indices of the devices that hold the inputs and want the outputs. */
  readonly inputs: number;
  readonly outputs: number;
}

/** Seconds that `bytes` take from one device to another, alone on the link; infinite where no link joins them. */
export function transferSeconds(cluster: Cluster, from: number, to: number, bytes: number): number {
  if (from === to) return 0;
  const link = linkBetween(cluster, cluster.devices[from]!.name, cluster.devices[to]!.name);
  return link ? linkSeconds(link, bytes) : Number.POSITIVE_INFINITY;
}

/** Bytes of the weights each operator is the first to read. */
function weightsOf(program: Program, operators: readonly Compute[]): number[] {
  const counted = new Set<string>();
  return operators.map((operator) =>
    reads(operator).reduce((sum, value) => {
      if (tensorOf(program, value.tensor).role !== 'weight' || counted.has(value.tensor)) return sum;
      counted.add(value.tensor);
      return sum + valueBytes(program, value);
    }, 0),
  );
}

export function costGraphOf(
  program: Program<'imported'>,
  cluster: Cluster,
  costs: Costs = costsOf(program, cluster),
): CostGraph {
  const cuts = cutsOf(program);
  const operators = [...cuts.operators.values()].filter(({ origin }) => !cuts.constants.has(origin));
  const weights = weightsOf(program, operators);
  const makers = new Map<string, number | null>(program.inputs.map((name) => [name, null]));
  const readers = new Map<string, Set<number>>();
  for (const [i, operator] of operators.entries()) {
    for (const { tensor } of reads(operator)) readers.set(tensor, (readers.get(tensor) ?? new Set()).add(i));
    for (const { tensor } of writes(operator)) makers.set(tensor, i);
  }
  const index = (name: string) => cluster.devices.findIndex((device) => device.name === name);
  return {
    operators: operators.map((operator, i) => ({
      name: operator.origin,
      seconds: cluster.devices.map(({ name }) => costs.seconds(name, program, operator)),
      weightBytes: weights[i]!,
    })),
    tensors: [...makers].map(([name, maker]) => ({
      name,
      bytes: valueBytes(program, wholeValue(tensorOf(program, name))),
      maker,
      readers: [...(readers.get(name) ?? [])].sort((a, b) => a - b),
      wanted: program.outputs.includes(name),
    })),
    inputs: index(cluster.inputs),
    outputs: index(cluster.outputs),
  };
}
