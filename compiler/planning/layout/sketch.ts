/**
 * A sketch: the few numbers a search changes, from which a layout follows. Devices lie side by side along the axis; in every
 * layer their borders may lie elsewhere; what a device reads beyond its border is sent or computed again; everything is done
 * in bands, so that a band is sent while the next is computed (Hybrid-Parallel's overlap, but exact).
 */
import type { Layer, LayerGraph, LayerRead } from './layers.ts';
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

export interface Span {
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
function outside(span: Span, other: Span): Span[] {
  if (length(span) === 0) return [];
  if (length(other) === 0) return [span];
  const rest: Span[] = [];
  if (span.begin < other.begin) rest.push({ begin: span.begin, end: Math.min(span.end, other.begin) });
  if (other.end < span.end) rest.push({ begin: Math.max(span.begin, other.end), end: span.end });
  return rest;
}

interface Reader {
  readonly layer: number;
  /** Of the layer. */
  readonly step: number;
  readonly read: LayerRead;
}

export class Sketcher {
  /** Layers that read a tensor. */
  private readonly readers: readonly Reader[][];

  constructor(private readonly graph: LayerGraph) {
    const readers = graph.tensors.map((): Reader[] => []);
    for (const { index, step, reads } of graph.layers) {
      for (const read of reads) readers[read.tensor]!.push({ layer: index, step, read });
    }
    this.readers = readers;
  }

  layout(sketch: Sketch, spans = this.spans(sketch)): Layout {
    return this.inBands(spans, sketch);
  }

  /** By layer, then device, what it computes of it: found backwards, since that follows from what is read of it. */
  spans({ layers }: Sketch): readonly (readonly Span[])[] {
    const { graph } = this;
    const all: Span[][] = graph.layers.map(() => []);
    for (let index = graph.layers.length - 1; index >= 0; index--) {
      const { beyond, borders } = layers[index]!;
      const own = this.shares(index, borders);
      const needed = own.map((_, device) => this.neededBy(index, device, all));
      const self = own.map((share, device) => {
        const need = needed[device]!;
        const isHalo = length(share) > 0 && length(need) <= (1 + HALO) * length(share);
        if (beyond === 'again' || (beyond === 'halo' && isHalo)) return need;
        return intersect(share, need);
      });
      // A device computes what of its share others need and do not compute themselves, or what nobody needs.
      const asked = this.unread(index, needed);
      for (const [device, need] of needed.entries()) asked.push(...outside(need, self[device]!));
      all[index] = self.map((span, device) => {
        let made = span;
        for (const rest of asked) made = hull(made, intersect(rest, own[device]!));
        return made;
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
    const needed: Span = { begin: Number.POSITIVE_INFINITY, end: 0 };
    for (const tensor of this.graph.layers[index]!.makes) {
      for (const { layer, step, read } of this.readers[tensor]!) {
        const { begin, end } = spans[layer]![device]!;
        if (begin >= end) continue;
        const from = read.begin[Math.floor(begin / step)]!;
        const to = read.end[Math.ceil(end / step)]!;
        if (from >= to) continue;
        needed.begin = Math.min(needed.begin, from);
        needed.end = Math.max(needed.end, to);
      }
    }
    return this.aligned(index, needed);
  }

  private aligned(index: number, span: Span): Span {
    const { length: size, step } = this.graph.layers[index]!;
    if (length(span) === 0) return { begin: 0, end: 0 };
    return { begin: span.begin - (span.begin % step), end: Math.min(size, Math.ceil(span.end / step) * step) };
  }

  /** What no layer reads (the model wants it, or a Slice leaves it out): somebody must compute it all the same. */
  private unread(index: number, needed: readonly Span[]): Span[] {
    const { makes, length: size } = this.graph.layers[index]!;
    let rest: Span[] = [{ begin: 0, end: size }];
    if (makes.some((tensor) => this.graph.tensors[tensor]!.wanted)) return rest;
    for (const need of needed) if (rest.length > 0) rest = rest.flatMap((span) => outside(span, need));
    return rest;
  }

  /**
   * Cuts every share into bands such that a band needs no later band of what the device computed itself: towards the end of a
   * chain bands end a halo earlier. Where the number of bands changes they are even again.
   */
  private inBands(spans: readonly (readonly Span[])[], { layers, downwards }: Sketch): Layout {
    /** Per layer and device: where each band ends (begins, if downwards). */
    const frontiers: number[][][] = [];
    return this.graph.layers.map((layer) => {
      const { bands } = layers[layer.index]!;
      const own: number[][] = [];
      frontiers.push(own);
      const pieces: Piece[] = [];
      for (const [device, span] of spans[layer.index]!.entries()) {
        if (length(span) === 0) continue;
        if (bands === 1) pieces.push({ device, begin: span.begin, end: span.end });
        else {
          own[device] = this.frontier(layer, device, span, bands, frontiers, downwards);
          addPieces(pieces, device, span, own[device], downwards);
        }
      }
      return pieces;
    });
  }

  /** How far a device gets in a layer with each of the bands it has of what it reads; evenly where it has none. */
  private frontier(
    { reads, step, length: size }: Layer,
    device: number,
    span: Span,
    bands: number,
    frontiers: readonly (readonly (readonly number[])[])[],
    downwards: boolean,
  ): number[] {
    const limits = reads.map(({ tensor }) => {
      const { maker } = this.graph.tensors[tensor]!;
      const found = maker === null ? undefined : frontiers[maker]![device];
      return found?.length === bands ? found : undefined;
    });
    const isFirst = limits.every((limit) => limit === undefined);
    const frontier: number[] = [];
    for (let band = 0; band < bands - 1; band++) {
      const done = ((band + 1) / bands) * length(span);
      let reached = downwards ? 0 : size;
      if (isFirst)
        reached = Math.min(size, Math.round((downwards ? span.end - done : span.begin + done) / step) * step);
      for (let i = 0; i < limits.length; i++) {
        const limit = limits[i]?.[band];
        if (limit === undefined) continue;
        if (downwards) reached = Math.max(reached, firstFrom(reads[i]!.begin, limit) * step);
        else reached = Math.min(reached, lastUpTo(reads[i]!.end, limit) * step);
      }
      frontier.push(clamp(reached, span));
    }
    frontier.push(downwards ? span.begin : span.end);
    return frontier;
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

/** Adds the pieces of a span, in the order of the bands. */
function addPieces(pieces: Piece[], device: number, span: Span, frontier: readonly number[], downwards: boolean): void {
  let at = downwards ? span.end : span.begin;
  for (const next of frontier) {
    if (next === at) continue;
    pieces.push(downwards ? { device, begin: next, end: at } : { device, begin: at, end: next });
    at = next;
  }
}
