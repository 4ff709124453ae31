/**
 * A sketch: the few numbers a search changes, from which a layout follows. Devices lie side by side along the axis; in every
 * layer their borders may lie elsewhere; what a device reads beyond its border is sent or computed again; everything is done
 * in bands, so that a band is sent while the next is computed (Hybrid-Parallel's overlap, but exact).
 */
import type { LayerGraph, LayerRead } from './layers.ts';
import type { Layout, Piece } from './layout.ts';

/**
 * What a device reads of a layer beyond its share: is sent by its neighbour; is computed again if it is little (a halo); or
 * is always computed again, also by devices that have no share.
 */
export type Beyond = 'sent' | 'halo' | 'again';

export interface LayerSketch {
  /** Ascending, 0 to 1: where one device's share ends and the next one's begins; one less than there are devices. */
  readonly borders: readonly number[];
  readonly beyond: Beyond;
  /** Into how many a device's share is cut. */
  readonly bands: number;
}

export interface Sketch {
  readonly layers: readonly LayerSketch[];
  /** Bands go from the last element to the first. */
  readonly downwards: boolean;
}

/** A halo: at most this much more than the share itself. */
const HALO = 0.75;

interface Span {
  begin: number;
  end: number;
}

const length = ({ begin, end }: Span): number => Math.max(0, end - begin);
const hull = (a: Span, b: Span): Span => {
  if (length(a) === 0) return b;
  if (length(b) === 0) return a;
  return { begin: Math.min(a.begin, b.begin), end: Math.max(a.end, b.end) };
};
const intersect = (a: Span, b: Span): Span => ({ begin: Math.max(a.begin, b.begin), end: Math.min(a.end, b.end) });

const clamp = (at: number, { begin, end }: Span): number => Math.max(begin, Math.min(end, at));

/** What of `span` lies before and after `other`. */
const outside = (span: Span, other: Span): Span[] =>
  length(other) === 0
    ? [span]
    : [
        { begin: span.begin, end: Math.min(span.end, other.begin) },
        { begin: Math.max(span.begin, other.end), end: span.end },
      ].filter((rest) => length(rest) > 0);

export class Sketcher {
  /** Layers that read a tensor. */
  private readonly readers: readonly { layer: number; read: LayerRead }[][];

  constructor(private readonly graph: LayerGraph) {
    const readers = graph.tensors.map((): { layer: number; read: LayerRead }[] => []);
    for (const { index, reads } of graph.layers) {
      for (const read of reads) readers[read.tensor]!.push({ layer: index, read });
    }
    this.readers = readers;
  }

  layout(sketch: Sketch): Layout {
    return this.inBands(this.spans(sketch), sketch);
  }

  /** What each device computes of each layer: backwards, since that follows from what is read of it. */
  private spans({ layers }: Sketch): Span[][] {
    const { graph } = this;
    const all: Span[][] = graph.layers.map(() => []);
    for (let index = graph.layers.length - 1; index >= 0; index--) {
      const { beyond } = layers[index]!;
      const own = this.shares(index, layers[index]!.borders);
      const needed = own.map((_, device) => this.neededBy(index, device, all));
      const self = own.map((share, device) => {
        const need = needed[device]!;
        const isHalo = length(share) > 0 && length(need) <= (1 + HALO) * length(share);
        if (beyond === 'again' || (beyond === 'halo' && isHalo)) return need;
        return intersect(share, need);
      });
      const unread = this.unread(index, needed);
      all[index] = self.map((span, device) => {
        const asked = needed.flatMap((need, other) => (other === device ? [] : outside(need, self[other]!)));
        return [...asked, ...unread].map((rest) => intersect(rest, own[device]!)).reduce(hull, span);
      });
    }
    return all;
  }

  private shares(index: number, borders: readonly number[]): Span[] {
    const { length: size, step } = this.graph.layers[index]!;
    const ends = [...borders.map((at) => Math.min(size, Math.round((at * size) / step) * step)), size];
    return ends.map((end, device) => ({ begin: device === 0 ? 0 : ends[device - 1]!, end }));
  }

  /** Hull of what a device's readers read of a layer. */
  private neededBy(index: number, device: number, spans: readonly (readonly Span[])[]): Span {
    let needed: Span = { begin: 0, end: 0 };
    for (const tensor of this.graph.layers[index]!.makes) {
      for (const { layer, read } of this.readers[tensor]!) {
        const span = spans[layer]![device]!;
        if (length(span) > 0) needed = hull(needed, this.readOf(layer, read, span));
      }
    }
    return this.aligned(index, needed);
  }

  private readOf(layer: number, read: LayerRead, { begin, end }: Span): Span {
    const { step } = this.graph.layers[layer]!;
    return { begin: read.begin[Math.floor(begin / step)]!, end: read.end[Math.ceil(end / step)]! };
  }

  private aligned(index: number, span: Span): Span {
    const { length: size, step } = this.graph.layers[index]!;
    if (length(span) === 0) return { begin: 0, end: 0 };
    return { begin: span.begin - (span.begin % step), end: Math.min(size, Math.ceil(span.end / step) * step) };
  }

  /** What no layer reads (the model wants it, or a Slice leaves it out): somebody must compute it all the same. */
  private unread(index: number, needed: readonly Span[]): Span[] {
    const { makes, length: size } = this.graph.layers[index]!;
    const whole = { begin: 0, end: size };
    if (makes.some((tensor) => this.graph.tensors[tensor]!.wanted)) return [whole];
    return needed.reduce((rest, need) => rest.flatMap((span) => outside(span, need)), [whole]);
  }

  /**
   * Cuts every share into bands such that a band needs no later band of what the device computed itself: towards the end of a
   * chain bands end a halo earlier. Where the number of bands changes they are even again.
   */
  private inBands(spans: readonly (readonly Span[])[], { layers, downwards }: Sketch): Layout {
    const { tensors } = this.graph;
    /** Per layer and device: where each band ends (begins, if downwards). */
    const frontiers: number[][][] = [];
    return this.graph.layers.map(({ index, reads }) => {
      const { bands } = layers[index]!;
      frontiers.push([]);
      return spans[index]!.flatMap((span, device): Piece[] => {
        if (length(span) === 0) return [];
        if (bands === 1) return [{ device, ...span }];
        const own = reads.flatMap((read) => {
          const { maker } = tensors[read.tensor]!;
          if (maker === null || layers[maker]!.bands !== bands) return [];
          const frontier = frontiers[maker]![device];
          return frontier ? [{ read, frontier }] : [];
        });
        const frontier = Array.from({ length: bands }, (_, band) => {
          if (band === bands - 1) return downwards ? span.begin : span.end;
          const reads = own.map(({ read, frontier }) => ({ read, limit: frontier[band]! }));
          return this.frontier(index, span, (band + 1) / bands, reads, downwards);
        });
        frontiers[index]![device] = frontier;
        return cutAt(span, frontier, downwards).map((piece) => ({ device, ...piece }));
      });
    });
  }

  /** How far a device gets in a layer with the bands it has of what it reads; evenly where it has none. */
  private frontier(
    index: number,
    span: Span,
    done: number,
    own: readonly { read: LayerRead; limit: number }[],
    downwards: boolean,
  ): number {
    const { step, length: size } = this.graph.layers[index]!;
    if (own.length === 0) {
      const even = downwards ? span.end - done * length(span) : span.begin + done * length(span);
      return clamp(Math.min(size, Math.round(even / step) * step), span);
    }
    const reached = own.map(({ read, limit }) =>
      downwards ? firstFrom(read.begin, limit) * step : Math.min(size, lastUpTo(read.end, limit) * step),
    );
    return clamp(downwards ? Math.max(...reached) : Math.min(...reached), span);
  }
}

/** The smallest index whose value is at least `limit`; values ascend. */
function firstFrom(values: Int32Array, limit: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! >= limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The largest index whose value is at most `limit`. */
function lastUpTo(values: Int32Array, limit: number): number {
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle]! <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Pieces of a span, in the order of the bands. */
function cutAt(span: Span, frontier: readonly number[], downwards: boolean): Span[] {
  const pieces: Span[] = [];
  let at = downwards ? span.end : span.begin;
  for (const next of frontier) {
    if (next === at) continue;
    pieces.push(downwards ? { begin: next, end: at } : { begin: at, end: next });
    at = next;
  }
  return pieces;
}
