/** A layout: which device makes which span of which layer, in which order; how long it takes, what it moves; and the plan it is. */
import { tensorOf } from '../../ir/program.ts';
import { formatRegion } from '../../ir/region.ts';
import type { Plan, PlanPart } from '../plan.ts';
import { outputRegion, wholeSpans } from '../resolve.ts';
import { TaskGraph } from '../simulation/events.ts';
import type { AxisCut } from './axis.ts';
import type { Layer, LayerGraph, LayerRead } from './layers.ts';

/** `[begin, end)` of a layer, made by one device in one go. Pieces of one device are disjoint. */
export interface Piece {
  /** Index in the cluster. */
  readonly device: number;
  readonly begin: number;
  readonly end: number;
}

/** One list a layer; a device computes its pieces of a layer in their order. Together they cover it; devices may overlap. */
export type Layout = readonly (readonly Piece[])[];

export interface Prediction {
  /** Of one inference. */
  readonly seconds: number;
  /** That cross links. */
  readonly bytes: number;
  /** Seconds that each device computes. */
  readonly busy: readonly number[];
  /** Seconds that each device sends, and receives. */
  readonly sending: readonly number[];
  readonly receiving: readonly number[];
  /** Bytes of weights that each device holds. */
  readonly weightBytes: readonly number[];
}

/** A span of a tensor on a device, and the task that makes or brings it. */
interface Held {
  readonly begin: number;
  readonly end: number;
  /** null: it is there from the start. */
  readonly task: number | null;
  /** Of its maker's pieces; null: it was received, or is there from the start. */
  readonly wave: number | null;
}

/** What a device has of a tensor. */
interface Holding {
  /** What it made itself: adjoining pieces, and the span they are together. */
  readonly made: Held[];
  begin: number;
  end: number;
  readonly received: Held[];
  /** Spans that it has as one, and spans that it carried over from an earlier wave. */
  readonly joined: Interval[];
  readonly carried: Interval[];
}

/** Turns a layout into tasks on devices and links. */
class LayoutTasks {
  readonly tasks: TaskGraph;
  bytes = 0;
  readonly busy: number[];
  readonly sending: number[];
  readonly receiving: number[];
  readonly weightBytes: number[];
  private readonly devices: number;
  /** By tensor and device; those that a device has nothing to do with are left out. */
  private readonly holdings: (Holding | undefined)[];
  private readonly borders = new Set<number>();
  /** First task of each device: where transfers for it arrive, no session ends. */
  private readonly first: (number | undefined)[];

  constructor(
    private readonly graph: LayerGraph,
    private readonly layout: Layout,
  ) {
    const { cluster, tensors } = graph;
    this.devices = cluster.devices.length;
    const links = this.devices * this.devices;
    this.tasks = new TaskGraph([
      ...cluster.devices.map(() => 'priority' as const),
      ...Array.from({ length: links }, () => 'fifo' as const),
    ]);
    this.holdings = Array.from({ length: tensors.length * this.devices }, () => undefined);
    this.first = cluster.devices.map(() => undefined);
    this.busy = cluster.devices.map(() => 0);
    this.sending = cluster.devices.map(() => 0);
    this.receiving = cluster.devices.map(() => 0);
    this.weightBytes = cluster.devices.map(() => 0);
    for (const [i, { maker, length }] of tensors.entries()) {
      if (maker === null) this.make(i, graph.inputs, { begin: 0, end: length, task: null, wave: null });
    }
  }

  /** @returns false: given up */
  build(isHopeless: Hopeless): boolean {
    const waves = new Int32Array(this.devices);
    for (const layer of this.graph.layers) {
      waves.fill(0);
      for (const piece of this.layout[layer.index]!) this.compute(layer.index, piece, waves[piece.device]!++);
      if (isHopeless(layer.index, this.busy)) return false;
    }
    this.handOut();
    return true;
  }

  /** Brings the outputs of the model to who wants them; what is not there as one piece leaves a last session as one. */
  private handOut(): void {
    const { tensors, outputs: device } = this.graph;
    const wanted = [...tensors.keys()].filter((tensor) => tensors[tensor]!.wanted);
    for (const tensor of wanted) this.provide(null, tensor, device, 0, tensors[tensor]!.length, 1);
    const joined = wanted.filter((tensor) => {
      const { made, received } = this.holding(tensor, device);
      return tensors[tensor]!.maker !== null && (made.length > 0 || received.length > 1);
    });
    if (joined.length === 0) return;
    const bytes = joined.reduce((sum, tensor) => sum + tensors[tensor]!.unitBytes * tensors[tensor]!.length, 0);
    const seconds = this.graph.border(device, bytes);
    const task = this.tasks.add(device, seconds, Number.POSITIVE_INFINITY);
    this.busy[device]! += seconds;
    for (const tensor of joined) {
      const { made, received } = this.holding(tensor, device);
      for (const held of [made, received]) this.wait(task, held, 0, tensors[tensor]!.length);
    }
  }

  private compute(index: number, piece: Piece, wave: number): void {
    const { device, begin, end } = piece;
    const layer = this.graph.layers[index]!;
    const seconds = this.graph.seconds(device, index, begin, end);
    // What arrives first is finished first: earlier waves go before earlier layers.
    const task = this.tasks.add(device, seconds, wave * this.graph.layers.length + index);
    this.first[device] ??= task;
    this.busy[device]! += seconds;
    for (const read of layer.reads) this.read(task, layer, read, piece, wave);
    for (const tensor of layer.makes) this.make(tensor, device, { begin, end, task, wave });
    const share = layer.sharesWeights ? (end - begin) / layer.length : wave === 0 ? 1 : 0;
    this.weightBytes[device]! += layer.weightBytes * share;
  }

  private holding(tensor: number, device: number): Holding {
    const index = tensor * this.devices + device;
    const found = this.holdings[index];
    if (found) return found;
    const holding: Holding = { made: [], begin: 0, end: 0, received: [], joined: [], carried: [] };
    this.holdings[index] = holding;
    return holding;
  }

  private make(tensor: number, device: number, held: Held): void {
    const holding = this.holding(tensor, device);
    holding.begin = holding.made.length === 0 ? held.begin : Math.min(holding.begin, held.begin);
    holding.end = Math.max(holding.end, held.end);
    holding.made.push(held);
  }

  private read(task: number, layer: Layer, read: LayerRead, { device, begin, end }: Piece, wave: number): void {
    const from = read.begin[begin / layer.step]!;
    const to = read.end[Math.ceil(end / layer.step)]!;
    const share = read.fraction * (read.proportional ? (end - begin) / layer.length : 1);
    if (from >= to) return;
    this.provide(task, read.tensor, device, from, to, share);
    this.assemble(task, read.tensor, device, from, to, share);
    this.carry(task, read.tensor, device, from, to, wave);
  }

  /** Makes `task` wait for a span of a tensor on a device; what the device lacks is sent by those that made it. */
  private provide(
    task: number | null,
    tensor: number,
    device: number,
    begin: number,
    end: number,
    share: number,
  ): void {
    const own = this.holding(tensor, device);
    this.wait(task, own.made, begin, end);
    if (own.begin <= begin && end <= own.end) return;
    this.wait(task, own.received, begin, end);
    let missing = subtract(subtract([[begin, end]], [own]), own.received);
    for (let from = 0; from < this.devices && missing.length > 0; from++) {
      const other = this.holdings[tensor * this.devices + from];
      if (from === device || !other || other.end <= begin || end <= other.begin) continue;
      for (const held of other.made) {
        if (held.end <= begin || end <= held.begin) continue;
        for (const [low, high] of missing) {
          const [first, last] = [Math.max(low, held.begin), Math.min(high, held.end)];
          if (first < last) this.send(task, tensor, from, device, first, last, held.task, share);
        }
        missing = subtract(missing, [held]);
        if (missing.length === 0) break;
      }
    }
    if (missing.length > 0) throw new Error(`nobody makes ${missing[0]} of ${this.graph.tensors[tensor]!.name}`);
  }

  /** What is not there as one piece of just this span has to be joined or cut, once. */
  private assemble(task: number, tensor: number, device: number, begin: number, end: number, share: number): void {
    const { made, received, joined } = this.holding(tensor, device);
    if (isThere(made, begin, end) || isThere(received, begin, end) || !isNew(joined, begin, end)) return;
    const bytes = this.graph.tensors[tensor]!.unitBytes * (end - begin) * share;
    const seconds = this.graph.assemble(device, bytes);
    this.tasks.lengthen(task, seconds);
    this.busy[device]! += seconds;
  }

  /** What was made in an earlier wave has left that wave's session; once, whoever reads it. */
  private carry(task: number, tensor: number, device: number, begin: number, end: number, wave: number): void {
    const { made, carried } = this.holding(tensor, device);
    for (const held of made) {
      if (held.wave === null || held.wave === wave || held.end <= begin || end <= held.begin) continue;
      const first = Math.max(begin, held.begin);
      const last = Math.min(end, held.end);
      if (!isNew(carried, first, last)) continue;
      const bytes = this.graph.tensors[tensor]!.unitBytes * (last - first);
      const seconds = this.graph.border(device, bytes) - this.graph.border(device, 0);
      this.tasks.lengthen(task, seconds);
      this.busy[device]! += seconds;
    }
  }

  private wait(task: number | null, held: readonly Held[], begin: number, end: number): void {
    if (task === null) return;
    for (const one of held) {
      if (one.task !== null && one.begin < end && begin < one.end) this.tasks.depend(task, one.task);
    }
  }

  /** @param maker the task that makes what is sent */
  private send(
    reader: number | null,
    tensor: number,
    from: number,
    to: number,
    begin: number,
    end: number,
    maker: number | null,
    share: number,
  ): void {
    const link = this.graph.link(from, to);
    const bytes = this.graph.tensors[tensor]!.unitBytes * (end - begin) * share;
    const seconds = link.seconds(bytes);
    const task = this.tasks.add(this.devices + link.queue, seconds, 0, link.latency);
    this.bytes += bytes;
    this.sending[from]! += seconds;
    this.receiving[to]! += seconds;
    if (maker !== null) {
      this.tasks.depend(task, maker);
      this.border(maker, from, bytes, true);
    }
    if (reader !== null) {
      this.tasks.depend(reader, task);
      if (reader !== this.first[to]) this.border(reader, to, bytes, false);
    }
    // What was received as a share is not there for others.
    if (share === 1) this.holding(tensor, to).received.push({ begin, end, task, wave: null });
  }

  /** A transfer ends a session, where it leaves or where it arrives; several at one time are one border. */
  private border(task: number, device: number, bytes: number, isEnd: boolean): void {
    const side = 2 * task + (isEnd ? 1 : 0);
    const again = this.borders.has(side) ? this.graph.border(device, 0) : 0;
    const seconds = this.graph.border(device, bytes) - again;
    this.borders.add(side);
    this.tasks.lengthen(task, seconds);
    this.busy[device]! += seconds;
  }
}

type Interval = readonly [begin: number, end: number];

function isThere(spans: readonly Held[], begin: number, end: number): boolean {
  for (const one of spans) if (one.begin === begin && one.end === end) return true;
  return false;
}

/** Notes a span, unless it is there. */
function isNew(spans: Interval[], begin: number, end: number): boolean {
  for (const [from, to] of spans) if (from === begin && to === end) return false;
  spans.push([begin, end]);
  return true;
}

/** What of some intervals none of the spans covers. */
function subtract(
  intervals: readonly Interval[],
  spans: readonly { begin: number; end: number }[],
): readonly Interval[] {
  let rest = intervals;
  for (const { begin, end } of spans) {
    const left: Interval[] = [];
    for (const interval of rest) {
      const [low, high] = interval;
      if (end <= low || high <= begin) left.push(interval);
      else {
        if (low < begin) left.push([low, begin]);
        if (end < high) left.push([end, high]);
      }
    }
    rest = left;
  }
  return rest;
}

/** What the simulator says of a layout. */
export const predict = (graph: LayerGraph, layout: Layout): Prediction => predictUnless(graph, layout, () => false)!;

/** Whether a layout can be given up, from the seconds that devices compute up to a layer; asked once a layer, in their order. */
type Hopeless = (layer: number, busy: readonly number[]) => boolean;

/** The same; null where it was given up. */
export function predictUnless(graph: LayerGraph, layout: Layout, isHopeless: Hopeless): Prediction | null {
  const tasks = new LayoutTasks(graph, layout);
  if (!tasks.build(isHopeless)) return null;
  const { bytes, busy, sending, receiving, weightBytes } = tasks;
  return { seconds: tasks.tasks.run().makespan, bytes, busy, sending, receiving, weightBytes };
}

function partOf(
  graph: LayerGraph,
  { operator, cut, letter, length }: AxisCut,
  { device, begin, end }: Piece,
): PlanPart {
  const { name } = graph.cluster.devices[device]!;
  if (!cut || (begin === 0 && end === length)) return { device: name };
  const index = operator.outputs.findIndex((output) => output !== null);
  const { shape } = tensorOf(graph.program, operator.outputs[index]!.tensor);
  return {
    device: name,
    region: formatRegion(outputRegion(cut, index, { ...wholeSpans(cut), [letter]: [begin, end] }), shape),
  };
}

/** The plan that says what a layout does. */
export function planOf(graph: LayerGraph, layout: Layout): Plan['operators'] {
  const entries = graph.layers.flatMap(({ cuts, index }) =>
    cuts.map((cut): [string, Plan['operators'][string]] => {
      const parts = layout[index]!.map((piece) => partOf(graph, cut, piece));
      return [cut.operator.origin, parts.length === 1 && !parts[0]!.region ? parts[0]!.device : parts];
    }),
  );
  return Object.fromEntries(entries);
}
