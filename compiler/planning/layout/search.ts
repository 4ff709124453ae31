/**
 * Looks for the best sketch: many starting points (one device, two halves at every layer, shares by speed up to every layer),
 * then random changes to the best of them, kept as late-acceptance hill climbing keeps them (Burke and Bykov 2017). The
 * simulator judges. Seeded: the same number of tries gives the same result.
 */
import { narrowest } from './crossing.ts';
import { type LayerGraph, ROUNDING } from './layers.ts';
import type { Layout } from './layout.ts';
import { type Prediction, Predictor } from './predict.ts';
import { type Beyond, type LayerSketch, type Sketch, Sketcher } from './sketch.ts';
import type { Spans } from './spans.ts';

/**
 * What is made small, e.g. the seconds of one inference. Infinite: not allowed. Of a prediction that is more in every figure it
 * is not less: so a sketch's work alone bounds what the sketch comes to.
 */
export type Objective = (prediction: Prediction) => number;

export interface Finalist {
  readonly layout: Layout;
  /** Of the objective. */
  readonly value: number;
}

export interface Found extends Finalist {
  readonly sketch: Sketch;
  readonly prediction: Prediction;
}

/** Layers at which starting points change over: fewer for long programs, where each point takes longer to judge. */
const changeoversFor = (layers: number): number => Math.min(layers, 24, Math.max(8, Math.round(1500 / layers)));
const SHARES = [0.15, 0.3, 0.5, 0.7, 0.85];
const FINE_SHARES = [0.3, 0.45, 0.6, 0.7, 0.8, 0.9];
const BANDS = [1, 8];
/** Starting points that are improved in turn. */
const CLIMBERS = 6;
/** A change is kept if it is no worse than what was there this many tries ago. */
const MEMORY = 10;
const MOST_BANDS = 24;
/** Layers between two looks at whether a sketch can still be good enough. */
const LOOK = 16;

interface Climber {
  /** Of its sketch. */
  spans: Spans;
  value: number;
  best: { readonly sketch: Sketch; readonly value: number };
  readonly history: number[];
}

/** One layer sketch up to some layer, another from there on. */
interface Change {
  readonly early: LayerSketch;
  readonly late: LayerSketch;
  readonly downwards: boolean;
}

/** A 32-bit generator (mulberry32), [0, 1). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const bordersOf = (shares: readonly number[]): number[] => {
  let sum = 0;
  return shares.slice(0, -1).map((share) => {
    sum += share;
    return sum;
  });
};

export class Search {
  best: Found | null = null;
  /** Sketches judged so far. */
  tries = 0;
  private readonly sketcher: Sketcher;
  private readonly predictor: Predictor;
  private readonly climbers: Climber[] = [];
  private readonly devices: number;
  private readonly random: () => number;

  constructor(
    private readonly graph: LayerGraph,
    private readonly objective: Objective = ({ seconds }) => seconds,
    seed = 1,
    /** More starting points: what other searches found. */
    private readonly hints: readonly Sketch[] = [],
  ) {
    this.sketcher = new Sketcher(graph);
    this.predictor = new Predictor(graph);
    this.devices = graph.cluster.devices.length;
    this.random = randomOf(seed);
  }

  /** Judges the starting points. @param limit what is worse need not be found */
  start(limit = Number.POSITIVE_INFINITY): void {
    const known = new Map<LayerSketch, Spans>();
    for (const sketch of this.startingPoints()) {
      const [first] = sketch.layers;
      const spans = this.sketcher.spans(sketch, first && known.get(first));
      if (first) known.set(first, spans);
      this.enlist(spans, this.judge(spans, Math.min(limit, this.worst)));
    }
  }

  /** Of the best sketch; infinite where none is allowed. */
  get value(): number {
    return this.best?.value ?? Number.POSITIVE_INFINITY;
  }

  /** What starting points have to be better than. */
  get worst(): number {
    return this.climbers.length < CLIMBERS ? Number.POSITIVE_INFINITY : this.climbers.at(-1)!.value;
  }

  /** Makes a sketch a climber if it is among the best so far. */
  private enlist(spans: Spans, value: number): void {
    // Equal values are mostly the same layout said in other words.
    if (!Number.isFinite(value) || this.climbers.some((one) => one.value === value)) return;
    const worse = this.climbers.findIndex((one) => one.value > value);
    const history = new Array<number>(MEMORY).fill(value);
    this.climbers.splice(worse < 0 ? this.climbers.length : worse, 0, {
      spans,
      value,
      best: { sketch: spans.sketch, value },
      history,
    });
    this.climbers.length = Math.min(this.climbers.length, CLIMBERS);
  }

  /** The best sketch of all and the best of each climber, the better ones first. */
  finalists(most: number): Finalist[] {
    const all = [...(this.best ? [this.best] : []), ...this.climbers.map(({ best }) => best)];
    all.sort((a, b) => a.value - b.value);
    // Equal values are mostly the same layout said in other words.
    const distinct = all.filter(({ value }, i) => Number.isFinite(value) && value !== all[i - 1]?.value);
    return distinct.slice(0, most).map(({ sketch, value }) => ({ layout: this.sketcher.layout(sketch), value }));
  }

  /** Tries so many changes. */
  improve(tries: number): void {
    for (let i = 0; i < tries && this.climbers.length > 0; i++) {
      const climber = this.promising();
      const sketch = this.changed(climber.spans.sketch);
      const spans = this.sketcher.spans(sketch, climber.spans);
      const slot = (this.tries + 1) % MEMORY;
      const value = this.judge(spans, Math.max(climber.value, climber.history[slot]!));
      if (value <= climber.value || value <= climber.history[slot]!) {
        climber.spans = spans;
        climber.value = value;
        if (value < climber.best.value) climber.best = { sketch, value };
      }
      climber.history[slot] = climber.value;
    }
  }

  /** Half of the tries go to the climber that is best, half of the rest to the next, and so on. */
  private promising(): Climber {
    const ranked = this.climbers.toSorted((a, b) => a.best.value - b.best.value);
    return ranked.find(() => this.random() < 0.5) ?? ranked[0]!;
  }

  /** What a sketch comes to; infinite where what devices have to do makes that more than `limit`. */
  private judge(spans: Spans, limit: number): number {
    const { sketch } = spans;
    this.tries++;
    const left = this.workOf(spans);
    const isTooMuch = (busy: readonly number[]) => this.least(busy) * (1 - ROUNDING) > limit;
    if (isTooMuch(left)) return Number.POSITIVE_INFINITY;
    const layout = this.sketcher.layout(sketch, spans);
    const prediction = this.predictor.predict(layout, (layer, busy) => {
      for (let device = 0; device < this.devices; device++)
        left[device]! -= spans.seconds[layer * this.devices + device]!;
      return layer % LOOK === 0 && isTooMuch(busy.map((done, device) => done + left[device]!));
    });
    if (!prediction) return Number.POSITIVE_INFINITY;
    const value = this.objective(prediction);
    if (value < this.value) this.best = { sketch, layout, prediction, value };
    return value;
  }

  /** Seconds that each device computes, joins and borders not counted. */
  private workOf({ seconds }: Spans): number[] {
    const busy = new Array<number>(this.devices).fill(0);
    for (let i = 0; i < seconds.length; i++) busy[i % this.devices]! += seconds[i]!;
    return busy;
  }

  /** What a sketch would come to if nothing had to be sent and nobody ever waited. */
  private least(busy: readonly number[]): number {
    const none = new Array<number>(this.devices).fill(0);
    const idle = { bytes: 0, sending: none, receiving: none, memory: none };
    return this.objective({ ...idle, seconds: Math.max(...busy), busy });
  }

  /** Those that begin with the same layer sketch differ in few layers. */
  private *startingPoints(): Generator<Sketch> {
    const all = Array.from({ length: this.devices }, (_, i) => i);
    yield* this.hints;
    for (const device of all) {
      const layer: LayerSketch = { borders: bordersOf(this.one(device)), beyond: 'halo', bands: 1 };
      yield { layers: this.graph.layers.map(() => layer), downwards: true };
    }
    for (const bands of BANDS) {
      const changes = this.changes(bands);
      for (const at of this.changeovers()) for (const change of changes) yield this.changing(change, at);
    }
    if (this.devices === 2) for (const device of all) yield* this.inThreePhases(this.one(device));
  }

  private one(device: number): number[] {
    return Array.from({ length: this.devices }, (_, i) => (i === device ? 1 : 0));
  }

  private changes(bands: number): Change[] {
    const all = Array.from({ length: this.devices }, (_, i) => i);
    const change = (before: readonly number[], device: number, beyond: Beyond = 'halo', downwards = true): Change => {
      const [early, late] = [before, this.one(device)].map((shares) => ({ borders: bordersOf(shares), beyond, bands }));
      return { early: early!, late: late!, downwards };
    };
    const pairs = all.flatMap((a) => all.filter((b) => b !== a).map((b) => change(this.one(a), b)));
    const bySpeed = all.flatMap((device) => [change(this.bySpeed(), device), change(this.bySpeed(), device, 'sent')]);
    if (this.devices !== 2) return [...pairs, ...bySpeed];
    const directions = bands === 1 ? [true] : [true, false];
    const byShare = SHARES.flatMap((share) =>
      all.flatMap((device) => directions.map((downwards) => change([share, 1 - share], device, 'halo', downwards))),
    );
    return [...pairs, ...bySpeed, ...byShare];
  }

  /** Halos computed again where they weigh much, sent where they weigh little, and the rest on one device. */
  private *inThreePhases(rest: readonly number[]): Generator<Sketch> {
    const changeovers = this.changeovers().filter((_, i) => i % 3 === 2);
    const late: LayerSketch = { borders: bordersOf(rest), beyond: 'halo', bands: 8 };
    const phases = FINE_SHARES.map((share) => {
      const shared = { borders: bordersOf([share, 1 - share]), bands: 8 };
      return { again: { ...shared, beyond: 'again' }, sent: { ...shared, beyond: 'sent' } } as const;
    });
    for (const sent of changeovers) {
      for (const whole of changeovers.filter((at) => at > sent)) {
        for (const phase of phases) {
          const layers = this.graph.layers.map(({ index }): LayerSketch => {
            if (index >= whole) return late;
            return index < sent ? phase.again : phase.sent;
          });
          yield { layers, downwards: true };
        }
      }
    }
  }

  /** Positions spread over the layers, where little crosses; the last: never. */
  private changeovers(): number[] {
    const { layers } = this.graph;
    const even = layers.map(() => 1);
    return [...narrowest(this.graph, even, changeoversFor(layers.length)), layers.length];
  }

  /** Shares by how fast each device alone would be. */
  private bySpeed(): number[] {
    const { layers } = this.graph;
    const speeds = Array.from({ length: this.devices }, (_, device) => {
      return 1 / layers.reduce((sum, { index, length }) => sum + this.graph.seconds(device, index, 0, length), 0);
    });
    const total = speeds.reduce((a, b) => a + b, 0);
    return speeds.map((speed) => speed / total);
  }

  private changing({ early, late, downwards }: Change, at: number): Sketch {
    return { layers: this.graph.layers.map(({ index }) => (index < at ? early : late)), downwards };
  }

  private pick<T>(options: readonly T[]): T {
    return options[Math.floor(this.random() * options.length)]!;
  }

  private changed(sketch: Sketch): Sketch {
    if (this.random() < 0.02) return { ...sketch, downwards: !sketch.downwards };
    const { length } = sketch.layers;
    // Short ranges as likely as long ones.
    const size = Math.max(1, Math.round(length ** this.random()));
    const first = Math.floor(this.random() * (length - size + 1));
    const change = this.layerChange(sketch, first, size);
    return {
      ...sketch,
      layers: sketch.layers.map((layer, i) => (i < first || i >= first + size ? layer : change(layer))),
    };
  }

  private layerChange(sketch: Sketch, first: number, size: number): (layer: LayerSketch) => LayerSketch {
    const kind = this.random();
    if (kind < 0.1) {
      const bands = Math.floor((MOST_BANDS + 1) ** this.random());
      return (layer) => ({ ...layer, bands });
    }
    if (kind < 0.2) {
      const beyond = this.pick<Beyond>(['sent', 'halo', 'again']);
      return (layer) => ({ ...layer, beyond });
    }
    if (kind < 0.3) {
      const device = Math.floor(this.random() * this.devices);
      const borders = Array.from({ length: this.devices - 1 }, (_, i) => (i < device ? 0 : 1));
      return (layer) => ({ ...layer, borders });
    }
    if (kind < 0.45) {
      // What the layer before does goes on, or what the layer after does begins earlier.
      const { length } = sketch.layers;
      const neighbour =
        sketch.layers[this.random() < 0.5 ? Math.max(0, first - 1) : Math.min(length - 1, first + size)]!;
      const { borders } = neighbour;
      return this.random() < 0.5 ? () => neighbour : (layer) => ({ ...layer, borders });
    }
    const border = Math.floor(this.random() * (this.devices - 1));
    const by = (this.random() - 0.5) * this.pick([0.02, 0.1, 0.5]);
    return (layer) => {
      const moved = Math.max(0, Math.min(1, layer.borders[border]! + by));
      const borders = layer.borders.map((at, i) => {
        if (i === border) return moved;
        return i < border ? Math.min(at, moved) : Math.max(at, moved);
      });
      return { ...layer, borders };
    };
  }
}
