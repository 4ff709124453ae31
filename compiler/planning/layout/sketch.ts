/**
 * A sketch: the few numbers a search changes, from which a layout follows. Devices lie side by side along the axis; in every
 * layer their borders may lie elsewhere; what a device reads beyond its border is sent or computed again; everything is done
 * in bands, so that a band is sent while the next is computed (Hybrid-Parallel's overlap, but exact).
 */
import type { Layer, LayerGraph } from './layers.ts';
import type { Layout, Piece } from './layout.ts';
import { SpanFinder, type Spans } from './spans.ts';

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

const clamp = (at: number, begin: number, end: number): number => Math.max(begin, Math.min(end, at));

export class Sketcher {
  private readonly finder: SpanFinder;

  constructor(private readonly graph: LayerGraph) {
    this.finder = new SpanFinder(graph);
  }

  /** What devices compute of every layer. @param like of a sketch that has some of the same layers */
  spans(sketch: Sketch, like?: Spans): Spans {
    return this.finder.find(sketch, like);
  }

  /**
   * Cuts every share into bands such that a band needs no later band of what the device computed itself: towards the end of a
   * chain bands end a halo earlier. Where the number of bands changes they are even again.
   */
  layout(sketch: Sketch, spans = this.spans(sketch)): Layout {
    const { layers, downwards } = sketch;
    const devices = this.graph.cluster.devices.length;
    /** Per layer and device: where each band ends (begins, if downwards). */
    const frontiers: number[][][] = [];
    return this.graph.layers.map((layer) => {
      const { bands } = layers[layer.index]!;
      const own: number[][] = [];
      frontiers.push(own);
      const pieces: Piece[] = [];
      for (let device = 0; device < devices; device++) {
        const at = layer.index * devices + device;
        const piece: Piece = { device, begin: spans.begin[at]!, end: spans.end[at]! };
        if (piece.end === 0) continue;
        if (bands === 1) pieces.push(piece);
        else {
          own[device] = this.frontier(layer, piece, bands, frontiers, downwards);
          addPieces(pieces, piece, own[device], downwards);
        }
      }
      return pieces;
    });
  }

  /** How far a device gets in a layer with each of the bands it has of what it reads; evenly where it has none. */
  private frontier(
    { reads, step, length: size }: Layer,
    { device, begin, end }: Piece,
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
      const done = ((band + 1) / bands) * (end - begin);
      let reached = downwards ? 0 : size;
      if (isFirst) reached = Math.min(size, Math.round((downwards ? end - done : begin + done) / step) * step);
      for (let i = 0; i < limits.length; i++) {
        const limit = limits[i]?.[band];
        if (limit === undefined) continue;
        if (downwards) reached = Math.max(reached, firstFrom(reads[i]!.begin, limit) * step);
        else reached = Math.min(reached, lastUpTo(reads[i]!.end, limit) * step);
      }
      frontier.push(clamp(reached, begin, end));
    }
    frontier.push(downwards ? begin : end);
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

/** Adds what a device computes of a layer, in the order of the bands. */
function addPieces(
  pieces: Piece[],
  { device, begin, end }: Piece,
  frontier: readonly number[],
  downwards: boolean,
): void {
  let at = downwards ? end : begin;
  for (const next of frontier) {
    if (next === at) continue;
    pieces.push(downwards ? { device, begin: next, end: at } : { device, begin: at, end: next });
    at = next;
  }
}
