/**
 * Pipelines as sketches: consecutive layers are a stage, and a stage may be shared by several devices that lie side by side along
 * the axis. Dynamic programming over where stages end and how many devices they have; what it adds up are estimates, a start
 * for the search, which asks the simulator.
 */
import { crossingBytes, narrowest } from './crossing.ts';
import { GrowingStage, type Reader, readersOf } from './growing-stage.ts';
import { type LayerGraph, NO_LINK } from './layers.ts';
import type { Beyond, LayerSketch, Sketch } from './sketch.ts';
import { SpanFinder } from './spans.ts';

/** Layers before which a stage may begin; more of them are left to the search. */
const POSITIONS = 32;
/** Devices that a stage may have at most. */
const MOST = [1, 2, 4];
const BEYOND: readonly Beyond[] = ['halo', 'sent'];
/** Seconds: a device whose table has nothing but zeros is no infinity faster than the others. */
const SHORTEST = 1e-9;

/** Devices of a stage, ascending, and what one of them does of its layers. */
interface Shared {
  readonly devices: readonly number[];
  readonly layer: LayerSketch;
  /** Of the device that is at work longest. */
  readonly seconds: number;
}

/** The layers up to a position: the last stage, and what comes before it. */
interface Ending {
  /** Of the device or link that is at work longest. */
  readonly interval: number;
  /** Of all stages; of equal intervals the less. */
  readonly seconds: number;
  readonly begin: number;
  readonly stage: Shared;
  readonly before: Ending | null;
}

class StageFinder {
  private readonly finder: SpanFinder;
  private readonly readers: readonly (readonly Reader[])[];
  private readonly crossing: readonly number[];
  private readonly positions: readonly number[];
  /** By device, then layer: seconds of all layers before it. */
  private readonly before: readonly (readonly number[])[];

  constructor(
    private readonly graph: LayerGraph,
    /** Devices in the order of their stages. */
    private readonly order: readonly number[],
    /** Most devices of a stage. */
    private readonly most: number,
    /** Seconds; no stage may take longer. */
    private readonly longest: number,
  ) {
    this.finder = new SpanFinder(graph);
    this.readers = readersOf(graph);
    this.crossing = crossingBytes(graph);
    const work = graph.layers.map(({ index, length }) => graph.seconds(graph.inputs, index, 0, length));
    this.positions = [0, ...narrowest(graph, work, POSITIONS), graph.layers.length];
    this.before = graph.cluster.devices.map((_, device) => {
      let sum = 0;
      return [0, ...graph.layers.map(({ index, length }) => (sum += graph.seconds(device, index, 0, length)))];
    });
  }

  /** Null: every way has a stage or a transfer that takes too long. */
  find(): Sketch | null {
    const endings: Ending[][] = this.positions.map(() => []);
    for (let end = 1; end < this.positions.length; end++) {
      for (const group of this.groups()) {
        const best = this.bestEnding(end, group, endings);
        if (best) endings[end]!.push(best);
      }
    }
    const best = leastOf(endings.at(-1)!.map((ending) => this.handedOut(ending)));
    return best && this.sketchOf(best);
  }

  /** Neighbours in the order. */
  private *groups(): Generator<readonly number[]> {
    for (let size = 1; size <= this.most; size++)
      for (let first = 0; first + size <= this.order.length; first++) yield this.order.slice(first, first + size);
  }

  private bestEnding(end: number, group: readonly number[], endings: readonly (readonly Ending[])[]): Ending | null {
    const first = this.order.indexOf(group[0]!);
    const devices = group.toSorted((a, b) => a - b);
    const stages = this.growing(devices, this.positions[end]!);
    let best: Ending | null = null;
    for (let begin = end - 1; begin >= 0; begin--) {
      // Sharing makes it no faster than this.
      if (this.alone(begin, end, devices) > this.longest) break;
      const befores = begin === 0 ? [null] : endings[begin]!.filter(({ stage }) => this.isBefore(stage.devices, first));
      if (befores.length === 0) continue;
      const stage = this.stage(begin, end, devices, stages);
      for (const before of befores) {
        const sent = this.sent(begin, before ? before.stage.devices : [this.graph.inputs], devices);
        const interval = Math.max(stage.seconds, sent, before?.interval ?? 0);
        const seconds = stage.seconds + sent + (before?.seconds ?? 0);
        if (interval > this.longest) continue;
        best = less(best, { interval, seconds, begin, stage, before });
      }
    }
    return best;
  }

  private isBefore(devices: readonly number[], place: number): boolean {
    return devices.every((device) => this.order.indexOf(device) < place);
  }

  private secondsOf(device: number, begin: number, end: number): number {
    const own = this.before[device]!;
    return own[this.positions[end]!]! - own[this.positions[begin]!]!;
  }

  /** Seconds if the devices shared the work without loss. */
  private alone(begin: number, end: number, devices: readonly number[]): number {
    return 1 / devices.reduce((sum, device) => sum + 1 / this.secondsOf(device, begin, end), 0);
  }

  /** The ways to share a stage that ends here, by the devices' speeds. */
  private growing(devices: readonly number[], end: number): { layer: LayerSketch; stage: GrowingStage | null }[] {
    const speeds = this.before.map((own, device) =>
      devices.includes(device) ? 1 / Math.max(own.at(-1)!, SHORTEST) : 0,
    );
    const total = speeds.reduce((a, b) => a + b, 0);
    let sum = 0;
    const borders = speeds.slice(0, -1).map((speed) => (sum += speed / total));
    const ways = devices.length > 1 ? BEYOND : BEYOND.slice(0, 1);
    return ways.map((beyond) => {
      const layer = { borders, beyond, bands: 1 };
      const { graph, finder, readers } = this;
      const stage = devices.length > 1 ? new GrowingStage(graph, finder, readers, devices, layer, end) : null;
      return { layer, stage };
    });
  }

  /** Halos computed again or sent, whichever takes less. */
  private stage(
    begin: number,
    end: number,
    devices: readonly number[],
    ways: readonly { layer: LayerSketch; stage: GrowingStage | null }[],
  ): Shared {
    const { graph, crossing, positions } = this;
    const [from, to] = [positions[begin]!, positions[end]!];
    const moved = (crossing[from]! + crossing[to]!) / devices.length;
    const passing = Math.max(...devices.map((device) => graph.border(device, moved)));
    const shared = ways.map(({ layer, stage }): Shared => {
      const inside = stage?.growTo(from) ?? this.secondsOf(devices[0]!, begin, end);
      return { devices, layer, seconds: inside + passing };
    });
    return shared.reduce((a, b) => (b.seconds < a.seconds ? b : a));
  }

  /** Seconds that the slowest link is busy, if all that crosses goes from some devices to others in equal parts. */
  private sent(begin: number, from: readonly number[], to: readonly number[]): number {
    const bytes = this.crossing[this.positions[begin]!]! / Math.max(from.length, to.length);
    const all = from.flatMap((a) => to.filter((b) => a !== b).map((b) => this.graph.link(a, b).seconds(bytes)));
    return Math.max(0, ...all);
  }

  private handedOut(ending: Ending): Ending {
    const sent = this.sent(this.positions.length - 1, ending.stage.devices, [this.graph.outputs]);
    return { ...ending, interval: Math.max(ending.interval, sent), seconds: ending.seconds + sent };
  }

  private sketchOf(last: Ending): Sketch {
    const layers: LayerSketch[] = [];
    let end = this.graph.layers.length;
    for (let ending: Ending | null = last; ending; ending = ending.before) {
      const begin = this.positions[ending.begin]!;
      layers.unshift(...Array<LayerSketch>(end - begin).fill(ending.stage.layer));
      end = begin;
    }
    return { layers, downwards: true };
  }
}

const less = (a: Ending | null, b: Ending): Ending =>
  !a || b.interval < a.interval || (b.interval === a.interval && b.seconds < a.seconds) ? b : a;

const leastOf = (endings: readonly Ending[]): Ending | null => endings.reduce<Ending | null>(less, null);

/**
 * A sketch for each number of devices that a stage may have at most; fewer where none is quick enough.
 * @param order devices in the order of their stages
 * @param longest seconds; no device or link may be at work for longer
 */
export function stagesOf(graph: LayerGraph, order: readonly number[], longest = NO_LINK): Sketch[] {
  const sizes = MOST.filter((most, i) => i === 0 || most <= order.length);
  return sizes.flatMap((most) => new StageFinder(graph, order, most, longest).find() ?? []);
}
