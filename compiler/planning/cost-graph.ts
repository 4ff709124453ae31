/**
 * What planners see that place whole operators (layer cuts, pipelines, Pareto fronts): what each operator costs on each device,
 * and what its tensors weigh on a link. Made of a program and a cluster, or of a table of measured layers.
 */
import { type Cluster, type ClusterDevice, linkBetween } from '../cluster/cluster.ts';
import { occupiedSeconds, queueOf, transferJoules, transferSeconds } from '../cluster/transfer.ts';
import { type Compute, type Program, reads, tensorOf, type Value, wholeValue, writes } from '../ir/program.ts';
import { type Costs, costsOf } from './costs/costs.ts';
import { valueBytes } from './costs/roofline.ts';
import { cutsOf, sourcesOf } from './cuts.ts';
import { type BytesPerFloat, bytesOnLink } from './encodings.ts';

export interface CostedDevice {
  readonly name: string;
  /** Bytes for weights and activations; infinite where there is no limit. */
  readonly memory: number;
}

/** Arrays have an element for each device, in the graph's order. */
export interface CostedOperator {
  readonly name: string;
  readonly seconds: readonly number[];
  /** What it adds to the energy that the device uses when it waits. */
  readonly joules: readonly number[];
  /** Of the weights it reads, each counted at its first reader. */
  readonly weightBytes: readonly number[];
}

export interface CostedTensor {
  readonly name: string;
  /** On a link, by the device that sends it. */
  readonly bytes: readonly number[];
  /** On each device. */
  readonly heldBytes: readonly number[];
  /** Index of the operator that makes it; null: an input of the model. */
  readonly maker: number | null;
  /** Indices, ascending. */
  readonly readers: readonly number[];
  /** An output of the model. */
  readonly wanted: boolean;
}

/** What a message costs. */
export interface Transfer {
  /** From made to there, alone on the link: handed over, sent, taken in; infinite where no link joins the two devices. */
  readonly seconds: number;
  /** Of it, until the next message can be sent. */
  readonly occupied: number;
  /** Of it, those that keep the sender, and the receiver, from computing. */
  readonly sending: number;
  readonly receiving: number;
  /** What it adds to the energy that the devices use when they wait. */
  readonly joules: number;
}

/** What crosses to the device that it is on. */
export const NO_TRANSFER: Transfer = { seconds: 0, occupied: 0, sending: 0, receiving: 0, joules: 0 };

export interface CostGraph {
  readonly devices: readonly CostedDevice[];
  /** Watts of all devices together when they wait. */
  readonly waiting: number;
  /** In topological order. */
  readonly operators: readonly CostedOperator[];
  /** Weights and what only weights decide are left out: they never cross a link. */
  readonly tensors: readonly CostedTensor[];
  /** Indices of the devices that hold the inputs and want the outputs. */
  readonly inputs: number;
  readonly outputs: number;
  readonly transfer: (from: number, to: number, bytes: number) => Transfer;
  /** Messages with the same name wait for each other. */
  readonly queue: (from: number, to: number) => string;
  /** All that one device sends another is one message; else each tensor is one. */
  readonly joined: boolean;
}

/** Watts above those of waiting. */
const extraPower = ({ power }: ClusterDevice, state: 'compute' | 'send' | 'receive'): number =>
  power ? power[state] - power.idle : 0;

function transferOf(cluster: Cluster, costs: Costs, from: number, to: number, bytes: number): Transfer {
  if (from === to) return NO_TRANSFER;
  const [sender, receiver] = [cluster.devices[from]!, cluster.devices[to]!];
  const link = linkBetween(cluster, sender.name, receiver.name);
  if (!link) return { ...NO_TRANSFER, seconds: Number.POSITIVE_INFINITY, occupied: Number.POSITIVE_INFINITY };
  const occupied = occupiedSeconds(link, bytes);
  const joules =
    transferJoules(link, bytes) + occupied * (extraPower(sender, 'send') + extraPower(receiver, 'receive'));
  const sending = costs.message?.(sender.name, 'send') ?? 0;
  const receiving = costs.message?.(receiver.name, 'receive') ?? 0;
  return { seconds: sending + transferSeconds(link, bytes) + receiving, occupied, sending, receiving, joules };
}

function queueBetween(cluster: Cluster, from: number, to: number): string {
  const [sender, receiver] = [cluster.devices[from]!.name, cluster.devices[to]!.name];
  const link = linkBetween(cluster, sender, receiver);
  return link ? queueOf(link, sender) : `${sender} ${receiver}`;
}

/** The weights each operator is the first to read. */
function weightsOf(program: Program, operators: readonly Compute[]): Value[][] {
  const counted = new Set<string>();
  return operators.map((operator) =>
    reads(operator).filter(({ tensor }) => {
      if (tensorOf(program, tensor).role !== 'weight' || counted.has(tensor)) return false;
      counted.add(tensor);
      return true;
    }),
  );
}

/** @param bits of a float32 number, where it is not its own */
function bytesOf(program: Program, value: Value, bits = 32): number {
  const bytes = valueBytes(program, value);
  return tensorOf(program, value.tensor).dtype === 'float32' ? (bytes * bits) / 32 : bytes;
}

export interface CostGraphOptions {
  /** Those of the cluster's devices, if not given. */
  readonly costs?: Costs;
  /** 4, if not given. */
  readonly bytesPerFloat?: BytesPerFloat | undefined;
  /** float32 takes as many bits as the cluster says of the device that holds or sends it: what is predicted, not executed. */
  readonly ownBits?: boolean;
}

export function costGraphOf(
  program: Program<'imported'>,
  cluster: Cluster,
  { costs = costsOf(program, cluster), bytesPerFloat = 4, ownBits = false }: CostGraphOptions = {},
): CostGraph {
  const cuts = cutsOf(program);
  const operators = [...cuts.operators.values()].filter(({ origin }) => !cuts.onDemand.has(origin));
  const weights = weightsOf(program, operators);
  const makers = new Map<string, number | null>(program.inputs.map((name) => [name, null]));
  const readers = new Map<string, Set<number>>();
  for (const [i, operator] of operators.entries()) {
    for (const { tensor } of sourcesOf(program, reads(operator)))
      readers.set(tensor, (readers.get(tensor) ?? new Set()).add(i));
    for (const { tensor } of writes(operator)) makers.set(tensor, i);
  }
  /** Of each device: bytes of a value there. */
  const held = cluster.devices.map(
    ({ bits }) =>
      (value: Value) =>
        bytesOf(program, value, ownBits ? bits : undefined),
  );
  const index = (name: string) => cluster.devices.findIndex((device) => device.name === name);
  return {
    devices: cluster.devices.map(({ name, memory }) => ({ name, memory: memory ?? Number.POSITIVE_INFINITY })),
    waiting: cluster.devices.reduce((watts, { power }) => watts + (power?.idle ?? 0), 0),
    operators: operators.map((operator, i) => {
      const seconds = cluster.devices.map(({ name }) => costs.seconds(name, program, operator));
      return {
        name: operator.origin,
        seconds,
        joules: cluster.devices.map(
          (device, d) => costs.joules?.(device.name, program, operator) ?? seconds[d]! * extraPower(device, 'compute'),
        ),
        weightBytes: held.map((bytes) => weights[i]!.reduce((sum, value) => sum + bytes(value), 0)),
      };
    }),
    tensors: [...makers].map(([name, maker]) => {
      const tensor = tensorOf(program, name);
      const heldBytes = held.map((bytes) => bytes(wholeValue(tensor)));
      return {
        name,
        bytes: heldBytes.map((bytes) => bytesOnLink(tensor, bytes, bytesPerFloat)),
        heldBytes,
        maker,
        readers: [...(readers.get(name) ?? [])].sort((a, b) => a - b),
        wanted: program.outputs.includes(name),
      };
    }),
    inputs: index(cluster.inputs),
    outputs: index(cluster.outputs),
    transfer: (from, to, bytes) => transferOf(cluster, costs, from, to, bytes),
    queue: (from, to) => queueBetween(cluster, from, to),
    joined: false,
  };
}
