/** What devices compute of every layer of a sketch: found backwards, since that follows from what is read of it. */
import type { LayerGraph, LayerRead } from './layers.ts';
import type { Sketch } from './sketch.ts';

/** An element for each layer and device, at `layer * devices + device`: searches draw thousands of sketches. */
export interface Spans {
  readonly sketch: Sketch;
  /** `[begin, end)`; of what a device has no part in `[0, 0)`. */
  readonly begin: Int32Array;
  readonly end: Int32Array;
  /** That it takes the device. */
  readonly seconds: Float64Array;
}

/** A halo: at most this much more than the share itself. */
const HALO = 0.75;

interface Reader {
  readonly layer: number;
  /** Of the layer. */
  readonly step: number;
  readonly read: LayerRead;
}

/** Spans of one layer, by device. */
class Row {
  readonly begin: Int32Array;
  readonly end: Int32Array;

  constructor(devices: number) {
    this.begin = new Int32Array(devices);
    this.end = new Int32Array(devices);
  }

  set(device: number, begin: number, end: number): void {
    this.begin[device] = begin < end ? begin : 0;
    this.end[device] = begin < end ? end : 0;
  }

  /** Makes a device's span the hull of what it is and another, which is not empty. */
  extend(device: number, begin: number, end: number): void {
    const isEmpty = this.end[device] === 0;
    this.set(device, isEmpty ? begin : Math.min(this.begin[device]!, begin), Math.max(this.end[device]!, end));
  }
}

export class SpanFinder {
  /** By layer, those that read what it makes. */
  private readonly readers: readonly (readonly Reader[])[];
  private readonly devices: number;
  // Of the layer at hand: shares, what is needed of it, what devices compute of their own accord, and what they do in the end.
  private readonly own: Row;
  private readonly needed: Row;
  private readonly willing: Row;
  private readonly made: Row;

  constructor(private readonly graph: LayerGraph) {
    const { layers, tensors, cluster } = graph;
    const readers = layers.map((): Reader[] => []);
    for (const { index: layer, step, reads } of layers) {
      for (const read of reads) {
        const { maker } = tensors[read.tensor]!;
        if (maker !== null) readers[maker]!.push({ layer, step, read });
      }
    }
    this.readers = readers;
    this.devices = cluster.devices.length;
    const row = () => new Row(this.devices);
    [this.own, this.needed, this.willing, this.made] = [row(), row(), row(), row()];
  }

  /** @param like what is known of a sketch that has some of the same layers */
  find(sketch: Sketch, like?: Spans): Spans {
    const { length } = this.graph.layers;
    const size = length * this.devices;
    const spans = {
      sketch,
      begin: like?.begin.slice() ?? new Int32Array(size),
      end: like?.end.slice() ?? new Int32Array(size),
      seconds: like?.seconds.slice() ?? new Float64Array(size),
    };
    const changed = new Uint8Array(length);
    for (let index = length - 1; index >= 0; index--) {
      const isKnown =
        like?.sketch.layers[index] === sketch.layers[index] &&
        this.readers[index]!.every(({ layer }) => changed[layer] === 0);
      if (!isKnown && this.findLayer(index, spans)) changed[index] = 1;
    }
    return spans;
  }

  /** Whether anything has changed. */
  private findLayer(index: number, spans: Spans): boolean {
    const { own, needed, willing, made, devices } = this;
    const { beyond, borders } = spans.sketch.layers[index]!;
    this.share(index, borders);
    for (let device = 0; device < devices; device++) {
      this.need(index, device, spans);
      const [begin, end] = [needed.begin[device]!, needed.end[device]!];
      const [first, last] = [own.begin[device]!, own.end[device]!];
      const isHalo = first < last && end - begin <= (1 + HALO) * (last - first);
      const isAll = beyond === 'again' || (beyond === 'halo' && isHalo);
      willing.set(device, isAll ? begin : Math.max(begin, first), isAll ? end : Math.min(end, last));
      made.set(device, willing.begin[device]!, willing.end[device]!);
    }
    // A device computes what of its share others need and do not compute themselves, or what nobody needs.
    this.askForUnread(index);
    for (let device = 0; device < devices; device++) {
      const [begin, end] = [needed.begin[device]!, needed.end[device]!];
      const [first, last] = [willing.begin[device]!, willing.end[device]!];
      if (first === last) this.ask(begin, end);
      else {
        this.ask(begin, Math.min(end, first));
        this.ask(Math.max(begin, last), end);
      }
    }
    return this.note(index, spans);
  }

  private share(index: number, borders: readonly number[]): void {
    const { length, step } = this.graph.layers[index]!;
    let begin = 0;
    for (let device = 0; device < this.devices; device++) {
      const border = borders[device];
      const end = border === undefined ? length : Math.min(length, Math.round((border * length) / step) * step);
      this.own.set(device, begin, end);
      begin = end;
    }
  }

  /** Hull of what a device's readers read of a layer. */
  private need(index: number, device: number, { begin, end }: Spans): void {
    const { length, step } = this.graph.layers[index]!;
    let [first, last] = [Number.POSITIVE_INFINITY, 0];
    for (const reader of this.readers[index]!) {
      const at = reader.layer * this.devices + device;
      if (end[at] === 0) continue;
      const from = reader.read.begin[Math.floor(begin[at]! / reader.step)]!;
      const to = reader.read.end[Math.ceil(end[at]! / reader.step)]!;
      if (from >= to) continue;
      first = Math.min(first, from);
      last = Math.max(last, to);
    }
    if (first >= last) this.needed.set(device, 0, 0);
    else this.needed.set(device, first - (first % step), Math.min(length, Math.ceil(last / step) * step));
  }

  /** What no layer reads (the model wants it, or a Slice leaves it out): somebody must compute it all the same. */
  private askForUnread(index: number): void {
    const { begin, end } = this.needed;
    const { makes, length } = this.graph.layers[index]!;
    const isWanted = makes.some((tensor) => this.graph.tensors[tensor]!.wanted);
    for (let at = 0; at < length; ) {
      let [reached, next] = [at, length];
      for (let device = 0; device < this.devices && !isWanted; device++) {
        if (begin[device]! <= at) reached = Math.max(reached, end[device]!);
        else next = Math.min(next, begin[device]!);
      }
      if (reached === at) this.ask(at, next);
      at = reached === at ? next : reached;
    }
  }

  private ask(begin: number, end: number): void {
    for (let device = 0; device < this.devices && begin < end; device++) {
      const first = Math.max(begin, this.own.begin[device]!);
      const last = Math.min(end, this.own.end[device]!);
      if (first < last) this.made.extend(device, first, last);
    }
  }

  private note(index: number, { begin, end, seconds }: Spans): boolean {
    let hasChanged = false;
    for (let device = 0; device < this.devices; device++) {
      const at = index * this.devices + device;
      const [first, last] = [this.made.begin[device]!, this.made.end[device]!];
      if (begin[at] === first && end[at] === last) continue;
      begin[at] = first;
      end[at] = last;
      seconds[at] = first < last ? this.graph.seconds(device, index, first, last) : 0;
      hasChanged = true;
    }
    return hasChanged;
  }
}
