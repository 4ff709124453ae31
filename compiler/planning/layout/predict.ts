/** How long a layout takes and what it moves, by the simulator: bands of layers and messages as tasks of devices and links. */
import { TaskGraph } from '../simulation/events.ts';
import type { Layer, LayerGraph, LayerRead } from './layers.ts';
import type { Layout, Piece } from './layout.ts';

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
  /** Bytes of each device's weights, and of what its hungriest piece reads and makes: it needs no less. */
  readonly memory: readonly number[];
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

/** Whether a layout can be given up, from the seconds that devices compute up to a layer; asked once a layer, in their order. */
export type Hopeless = (layer: number, busy: readonly number[]) => boolean;

/** Turns layouts into tasks on devices and links, one after the other. */
export class Predictor {
  private readonly tasks: TaskGraph;
  private readonly devices: number;
  private bytes = 0;
  private busy: number[] = [];
  private sending: number[] = [];
  private receiving: number[] = [];
  private weightBytes: number[] = [];
  private working: number[] = [];
  /** By tensor and device; those that a device has nothing to do with are left out. */
  private holdings: (Holding | undefined)[] = [];
  private readonly borders = new Set<number>();
  /** First task of each device: where transfers for it arrive, no session ends. */
  private first: (number | undefined)[] = [];

  constructor(private readonly graph: LayerGraph) {
    this.devices = graph.cluster.devices.length;
    const all = [...graph.cluster.devices.keys()];
    const links = all.flatMap((from) => all.map((to) => graph.link(from, to)));
    const leads = new Array<number>(all.length + links.length).fill(0);
    for (const { queue, lead } of links) leads[all.length + queue]! = Math.max(lead, leads[all.length + queue]!);
    this.tasks = new TaskGraph([...all.map(() => 'priority' as const), ...links.map(() => 'fifo' as const)], leads);
  }

  /** What the simulator says of a layout; null where it was given up. */
  predict(layout: Layout, isHopeless: Hopeless = () => false): Prediction | null {
    this.begin();
    const waves = new Int32Array(this.devices);
    for (const { index } of this.graph.layers) {
      waves.fill(0);
      for (const piece of layout[index]!) this.compute(index, piece, waves[piece.device]!++);
      if (isHopeless(index, this.busy)) return null;
    }
    this.handOut();
    const { bytes, busy, sending, receiving, weightBytes, working } = this;
    const memory = weightBytes.map((weights, device) => weights + working[device]!);
    return { seconds: this.tasks.run().makespan, bytes, busy, sending, receiving, memory };
  }

  private begin(): void {
    const { cluster, tensors, inputs } = this.graph;
    const none = () => cluster.devices.map(() => 0);
    this.tasks.clear();
    this.borders.clear();
    this.bytes = 0;
    [this.busy, this.sending, this.receiving] = [none(), none(), none()];
    [this.weightBytes, this.working] = [none(), none()];
    this.holdings = new Array<Holding | undefined>(tensors.length * this.devices).fill(undefined);
    this.first = cluster.devices.map(() => undefined);
    for (const [i, { maker, length }] of tensors.entries()) {
      if (maker === null) this.make(i, inputs, { begin: 0, end: length, task: null, wave: null });
    }
  }

  /** Brings the outputs of the model to who wants them; what is not there as one piece leaves a last session as one. */
  private handOut(): void {
    const { tensors, outputs: device } = this.graph;
    const wanted = [...tensors.keys()].filter((tensor) => tensors[tensor]!.wanted);
    for (const tensor of wanted) {
      const [own, { length }] = [this.holding(tensor, device), tensors[tensor]!];
      if (own.begin > 0 || own.end < length) this.receive(null, tensor, own, device, 0, length, 1);
    }
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
    let working = 0;
    for (const read of layer.reads) working += this.read(task, layer, read, piece, wave);
    for (const tensor of layer.makes) {
      this.make(tensor, device, { begin, end, task, wave });
      working += this.graph.tensors[tensor]!.unitBytes * (end - begin);
    }
    this.working[device] = Math.max(this.working[device]!, working);
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

  /**
   * Makes `task` wait for what a piece reads of a tensor; what its device lacks is sent, what is not there as one is joined.
   * @returns bytes read
   */
  private read(task: number, layer: Layer, read: LayerRead, { device, begin, end }: Piece, wave: number): number {
    const from = read.begin[begin / layer.step]!;
    const to = read.end[Math.ceil(end / layer.step)]!;
    if (from >= to) return 0;
    const share = read.fraction * (read.proportional ? (end - begin) / layer.length : 1);
    const own = this.holding(read.tensor, device);
    let [isOne, isCarried] = [false, false];
    for (const held of own.made) {
      if (held.end <= from || to <= held.begin) continue;
      if (held.task !== null) this.tasks.depend(task, held.task);
      if (held.begin === from && held.end === to) isOne = true;
      if (held.wave !== null && held.wave !== wave) isCarried = true;
    }
    if (from < own.begin || own.end < to) this.receive(task, read.tensor, own, device, from, to, share);
    if (!isOne) this.assemble(task, read.tensor, own, device, from, to, share);
    if (isCarried) this.carry(task, read.tensor, own, device, from, to, wave);
    return this.graph.tensors[read.tensor]!.unitBytes * (to - from) * share;
  }

  /** Makes `task` wait for the rest of a span of a tensor, of which a device has made a part: it is sent by those that made it. */
  private receive(
    task: number | null,
    tensor: number,
    own: Holding,
    device: number,
    begin: number,
    end: number,
    share: number,
  ): void {
    if (task !== null) this.wait(task, own.received, begin, end);
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
  private assemble(
    task: number,
    tensor: number,
    { received, joined }: Holding,
    device: number,
    begin: number,
    end: number,
    share: number,
  ): void {
    if (isThere(received, begin, end) || !isNew(joined, begin, end)) return;
    const bytes = this.graph.tensors[tensor]!.unitBytes * (end - begin) * share;
    const seconds = this.graph.assemble(device, bytes);
    this.tasks.lengthen(task, seconds);
    this.busy[device]! += seconds;
  }

  /** What was made in an earlier wave has left that wave's session; once, whoever reads it. */
  private carry(
    task: number,
    tensor: number,
    { made, carried }: Holding,
    device: number,
    begin: number,
    end: number,
    wave: number,
  ): void {
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

  private wait(task: number, held: readonly Held[], begin: number, end: number): void {
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
export const predict = (graph: LayerGraph, layout: Layout): Prediction => new Predictor(graph).predict(layout)!;
