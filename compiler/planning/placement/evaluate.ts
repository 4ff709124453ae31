/** What a placement of whole operators costs: one device for each operator, nothing overlapped, nothing split. */
import type { CostedTensor, CostGraph } from '../cost-graph.ts';

/** The device of each operator, as an index into the graph's devices. */
export type Placement = readonly number[];

/** A tensor that one device sends to another; once, however many operators read it there. */
export interface Crossing {
  readonly tensor: CostedTensor;
  readonly from: number;
  readonly to: number;
}

export interface PlacementCost {
  /** Of one inference, nothing overlapped. */
  readonly seconds: number;
  readonly joules: number;
  /** Seconds between two results when inferences follow each other closely: what the busiest device or link direction needs for one. */
  readonly interval: number;
  readonly linkBytes: number;
  /** Bytes of weights and activations, by device. */
  readonly memory: readonly number[];
}

/** Where a tensor is made, and every place that wants it. */
export function placesOf(graph: CostGraph, tensor: CostedTensor, placement: Placement): { from: number; to: number[] } {
  const from = tensor.maker === null ? graph.inputs : placement[tensor.maker]!;
  const to = new Set(tensor.readers.map((reader) => placement[reader]!));
  if (tensor.wanted) to.add(graph.outputs);
  to.delete(from);
  return { from, to: [...to] };
}

export function crossingsOf(graph: CostGraph, placement: Placement): Crossing[] {
  return graph.tensors.flatMap((tensor) => {
    const { from, to } = placesOf(graph, tensor, placement);
    return to.map((device) => ({ tensor, from, to: device }));
  });
}

const known = new WeakMap<CostGraph, number[][]>();

/**
 * For each device and operator the bytes of the tensors that exist while the operator runs, if all run in the graph's order:
 * made, and still read. Computed once a graph.
 */
export function workingBytes(graph: CostGraph): readonly (readonly number[])[] {
  const found = known.get(graph);
  if (found) return found;
  const bytes = graph.devices.map(() => graph.operators.map(() => 0));
  for (const { maker, readers, heldBytes } of graph.tensors) {
    const first = maker ?? readers[0];
    if (first === undefined) continue;
    const last = readers.at(-1) ?? first;
    for (const [device, all] of bytes.entries()) for (let i = first; i <= last; i++) all[i]! += heldBytes[device]!;
  }
  known.set(graph, bytes);
  return bytes;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * Bytes a device needs: its operators' weights, and what exists in the whole model while the hungriest of its operators runs.
 * What a device holds is part of that, so this is never too little for one inference at a time.
 */
export function memoryOf(graph: CostGraph, placement: Placement): number[] {
  const weights = graph.devices.map(() => 0);
  const most = graph.devices.map(() => 0);
  const working = workingBytes(graph);
  for (const [i, { weightBytes }] of graph.operators.entries()) {
    const device = placement[i]!;
    weights[device]! += weightBytes[device]!;
    most[device] = Math.max(most[device]!, working[device]![i]!);
  }
  return weights.map((bytes, device) => bytes + most[device]!);
}

/** Messages by the devices they go between, with their bytes. */
function messagesOf(
  { joined }: CostGraph,
  crossings: readonly Crossing[],
): { from: number; to: number; bytes: number }[] {
  const messages = crossings.map(({ tensor, from, to }) => ({ from, to, bytes: tensor.bytes[from]! }));
  if (!joined) return messages;
  const merged = new Map<string, { from: number; to: number; bytes: number }>();
  for (const { from, to, bytes } of messages) {
    const known = merged.get(`${from} ${to}`);
    merged.set(`${from} ${to}`, { from, to, bytes: bytes + (known?.bytes ?? 0) });
  }
  return [...merged.values()];
}

export function costOf(graph: CostGraph, placement: Placement): PlacementCost {
  const crossings = crossingsOf(graph, placement);
  const busy = graph.devices.map(() => 0);
  const queues = new Map<string, number>();
  let joules = 0;
  for (const [i, operator] of graph.operators.entries()) {
    const device = placement[i]!;
    busy[device]! += operator.seconds[device]!;
    joules += operator.joules[device]!;
  }
  let seconds = sum(busy);
  for (const { from, to, bytes } of messagesOf(graph, crossings)) {
    const transfer = graph.transfer(from, to, bytes);
    busy[from]! += transfer.sending;
    busy[to]! += transfer.receiving;
    const queue = graph.queue(from, to);
    queues.set(queue, (queues.get(queue) ?? 0) + transfer.occupied);
    seconds += transfer.seconds;
    joules += transfer.joules;
  }
  return {
    seconds,
    joules: joules + graph.waiting * seconds,
    interval: Math.max(...busy, ...queues.values()),
    linkBytes: sum(crossings.map(({ tensor, from }) => tensor.bytes[from]!)),
    memory: memoryOf(graph, placement),
  };
}
