/**
 * A program as planners see it that cut every operator along one axis: layers (operators fused with the elementwise ones that
 * follow), for each the exact spans a tile reads, and what a tile costs.
 */
import { isDeepStrictEqual } from 'node:util';
import { type Cluster, linkBetween } from '../../cluster/cluster.ts';
import { leadOf, occupiedSeconds, queueOf } from '../../cluster/transfer.ts';
import { type Compute, type Program, tensorOf, wholeValue, writes } from '../../ir/program.ts';
import type { Costs } from '../costs/costs.ts';
import { valueBytes } from '../costs/roofline.ts';
import { cutsOf } from '../cuts.ts';
import { type BytesPerFloat, bytesOnLink } from '../encodings.ts';
import { wholeSpans } from '../resolve.ts';
import { tileOf } from '../tile.ts';
import { Axes, type AxisCut, type AxisRead, type Orientation } from './axis.ts';

/** What a tile of a layer reads of one tensor, along the tensor's own axis. */
export interface LayerRead {
  readonly tensor: number;
  /** First element read by a tile that begins at `step * index`. */
  readonly begin: Int32Array;
  /** End of what a tile reads that ends at `step * index` (or at the layer's length). */
  readonly end: Int32Array;
  /** See {@link AxisRead}. */
  readonly fraction: number;
  readonly proportional: boolean;
}

export interface Layer {
  readonly index: number;
  /** In topological order; each but the first reads the one before it alone, element by element along the axis. */
  readonly cuts: readonly AxisCut[];
  /** Elements along the axis of what it makes; 1 where it runs whole. */
  readonly length: number;
  /** Tiles begin and end at multiples of this, or at the length. */
  readonly step: number;
  readonly reads: readonly LayerRead[];
  /** Tensors it makes. */
  readonly makes: readonly number[];
  /** Bytes of its weights; a tile needs its share of them, or all. */
  readonly weightBytes: number;
  readonly sharesWeights: boolean;
}

export interface LayerTensor {
  readonly name: string;
  /** Layer that makes it; null: an input of the model. */
  readonly maker: number | null;
  /** Elements along its axis. */
  readonly length: number;
  /** Bytes of one element along the axis, all other dimensions included. */
  readonly unitBytes: number;
  readonly wanted: boolean;
}

export interface LayerGraph {
  readonly program: Program<'imported'>;
  readonly cluster: Cluster;
  readonly layers: readonly Layer[];
  readonly tensors: readonly LayerTensor[];
  /** Indices of devices. */
  readonly inputs: number;
  readonly outputs: number;
  /** Seconds of `[begin, end)` of a layer on a device, session borders not counted. */
  seconds(device: number, layer: number, begin: number, end: number): number;
  /** Seconds that a border between sessions costs a device, if `bytes` cross it. */
  border(device: number, bytes: number): number;
  /** Seconds to join `bytes` of pieces, or to cut them out of more. */
  assemble(device: number, bytes: number): number;
  /** How bytes go from one device to another. */
  link(from: number, to: number): LinkDirection;
}

export interface LinkDirection {
  /** Number of the queue it waits in: one for each direction of a link, or one for both if it is half duplex. */
  readonly queue: number;
  /** Seconds that the link is busy with a message. */
  seconds(bytes: number): number;
  /** Seconds from then until it has arrived. */
  readonly latency: number;
  /** Seconds by which it may be ahead after it carried nothing. */
  readonly lead: number;
}

export interface LayerOptions {
  /** Which axis is cut where an operator leaves the choice. */
  readonly orientation: Orientation;
  /** Tiles read no halo: not exact. What published systems do; never without being asked for. */
  readonly dropHalo?: boolean;
  /** Of float32 tensors on a link. */
  readonly bytesPerFloat?: BytesPerFloat | undefined;
}

class LayerBuilder {
  private readonly axes: Axes;
  private readonly cuts: readonly AxisCut[];
  private readonly wanted: ReadonlySet<string>;

  constructor(
    private readonly program: Program<'imported'>,
    private readonly options: LayerOptions,
  ) {
    this.wanted = new Set(program.outputs);
    this.axes = new Axes(program, options.orientation);
    const { operators, onDemand } = cutsOf(program);
    const planned = [...operators.values()].filter(({ origin }) => !onDemand.has(origin));
    this.cuts = planned.map((operator) => this.axes.cut(operator));
  }

  build(): Pick<LayerGraph, 'layers' | 'tensors'> {
    const tensors: LayerTensor[] = [];
    const indices = new Map<string, number>();
    const add = (name: string, maker: number | null) => {
      indices.set(name, tensors.length);
      tensors.push(this.tensor(name, maker));
    };
    for (const name of this.program.inputs) add(name, null);
    const layers = this.chains().map((cuts, index): Layer => {
      const inside = new Set(cuts.slice(0, -1).flatMap(({ operator }) => writes(operator).map(({ tensor }) => tensor)));
      const reads = cuts.flatMap((cut) => cut.reads.filter(({ tensor }) => !inside.has(tensor)));
      const { length, step } = cuts[0]!;
      const last = writes(cuts.at(-1)!.operator);
      for (const { tensor } of last) add(tensor, index);
      return {
        index,
        cuts,
        length,
        step,
        reads: reads.map((read) => this.read(read, indices.get(read.tensor)!, cuts[0]!)),
        makes: last.map(({ tensor }) => indices.get(tensor)!),
        weightBytes: cuts.reduce((sum, cut) => sum + cut.weightBytes, 0),
        sharesWeights: cuts.some(({ sharesWeights }) => sharesWeights),
      };
    });
    return { layers, tensors };
  }

  /**
   * Chains of operators that are cut alike, that nobody else reads in between, and that grow no larger: where less crosses in
   * between than after, a plan may have one device do the first part and another the second.
   */
  private chains(): AxisCut[][] {
    const readers = new Map<string, number>();
    for (const { reads } of this.cuts) {
      for (const { tensor } of reads) readers.set(tensor, (readers.get(tensor) ?? 0) + 1);
    }
    const chainOf = new Map<string, AxisCut[]>();
    const chains = new Set<AxisCut[]>();
    for (const cut of this.cuts) {
      const before = cut.reads.find(({ tensor }) => {
        const last = chainOf.get(tensor)?.at(-1);
        const isPassedOn = readers.get(tensor) === 1 && !this.wanted.has(tensor);
        return last && isPassedOn && isAlike(last, cut, tensor) && this.bytesMadeBy(cut) <= this.bytesOf(tensor);
      });
      const chain = before ? chainOf.get(before.tensor)! : [];
      chain.push(cut);
      // A chain stands where its last operator does: what that reads besides is made by then.
      chains.delete(chain);
      chains.add(chain);
      for (const { tensor } of writes(cut.operator)) chainOf.set(tensor, chain);
    }
    return [...chains];
  }

  private read({ tensor: name, ...read }: AxisRead, tensor: number, { length, step }: AxisCut): LayerRead {
    const { begin } = read;
    const size = this.axes.length(name);
    const isLocal = size > 1 && begin.some((at, i) => i > 0 && at > 0 && i < begin.length - 1);
    if (!this.options.dropHalo || !isLocal) return { tensor, ...read };
    const scaled = begin.map((_, i) => Math.round((Math.min(length, i * step) * size) / length));
    return { tensor, ...read, begin: scaled, end: scaled };
  }

  private tensor(name: string, maker: number | null): LayerTensor {
    const length = this.axes.length(name);
    return { name, maker, length, unitBytes: this.bytesOf(name) / Math.max(1, length), wanted: this.wanted.has(name) };
  }

  /** On a link. */
  private bytesOf(name: string): number {
    const tensor = tensorOf(this.program, name);
    return bytesOnLink(tensor, valueBytes(this.program, wholeValue(tensor)), this.options.bytesPerFloat ?? 4);
  }

  private bytesMadeBy({ operator }: AxisCut): number {
    return writes(operator).reduce((sum, { tensor }) => sum + this.bytesOf(tensor), 0);
  }
}

/** Whether the second reads what the first makes position by position. */
function isAlike(first: AxisCut, second: AxisCut, tensor: string): boolean {
  const { begin, end } = second.reads.find((read) => read.tensor === tensor)!;
  if (writes(first.operator).length !== 1 || first.length === 1) return false;
  if (first.length !== second.length || first.step !== second.step) return false;
  return begin.every((_, i) => {
    const at = Math.min(first.length, i * first.step);
    return end[i] === at && (at === first.length || begin[i] === at);
  });
}

/** Share by which sums differ that were added up in another order. */
export const ROUNDING = 1e-9;

/** Seconds: devices that no link joins are as far apart as can be, no plan sends between them. */
export const NO_LINK = 1e9;

function linksOf(cluster: Cluster): LayerGraph['link'] {
  const { devices } = cluster;
  const queues = new Map<string, number>();
  const links = devices.map((a) =>
    devices.map((b): LinkDirection => {
      const link = linkBetween(cluster, a.name, b.name);
      if (!link) return { queue: 0, seconds: () => NO_LINK, latency: 0, lead: 0 };
      const name = queueOf(link, a.name);
      const queue = queues.get(name) ?? queues.size;
      queues.set(name, queue);
      return { queue, seconds: (bytes) => occupiedSeconds(link, bytes), latency: link.latency, lead: leadOf(link) };
    }),
  );
  return (from, to) => links[from]![to]!;
}

/** What tiles of a layer cost, by their size: wherever they lie, they cost what one in the middle does. */
class TileSizes {
  private readonly known = new Map<number, { readonly tiles: readonly Compute[]; readonly seconds: number[] }>();

  constructor(
    private readonly program: Program<'imported'>,
    private readonly layer: Layer,
  ) {}

  /** @param index of the device */
  seconds(costs: Costs, device: string, index: number, size: number): number {
    let found = this.known.get(size);
    if (!found) {
      found = { tiles: this.tilesOf(size), seconds: [] };
      this.known.set(size, found);
    }
    found.seconds[index] ??= found.tiles.reduce((sum, tile) => sum + costs.seconds(device, this.program, tile), 0);
    return found.seconds[index];
  }

  private tilesOf(size: number): Compute[] {
    const { cuts, length, step } = this.layer;
    const begin = size % step === 0 ? Math.floor((length - size) / 2 / step) * step : length - size;
    return cuts.map(({ operator, cut, letter }) => {
      if (!cut) return operator;
      const spans = { ...wholeSpans(cut), [letter]: [begin, begin + size] as const };
      return tileOf(this.program, operator, cut, { device: '', spans });
    });
  }
}

/**
 * Whether what a layout takes in one graph it takes in the other, as with rows and columns of square pictures: the same layers and
 * bytes, and the same costs of the whole, of halves and of quarters, which are the sizes that profiles measure.
 */
export function areAlike(a: LayerGraph, b: LayerGraph): boolean {
  const shapeOf = ({ layers, tensors }: LayerGraph) => ({
    layers: layers.map(({ cuts: _, ...rest }) => rest),
    tensors,
  });
  if (!isDeepStrictEqual(shapeOf(a), shapeOf(b))) return false;
  return a.layers.every(({ index, length, step }) =>
    [1, 2, 4].every((parts) => {
      const size = Math.ceil(length / parts / step) * step;
      return a.cluster.devices.every((_, device) => {
        const [one, other] = [a, b].map((graph) => graph.seconds(device, index, 0, Math.min(size, length)));
        return Math.abs(one! - other!) <= ROUNDING * one!;
      });
    }),
  );
}

/** The layers of a program and what they cost on the devices of a cluster. */
export function layerGraphOf(
  program: Program<'imported'>,
  cluster: Cluster,
  costs: Costs,
  options: LayerOptions,
): LayerGraph {
  const { layers, tensors } = new LayerBuilder(program, options).build();
  const names = cluster.devices.map(({ name }) => name);
  const sizes = layers.map((layer) => new TileSizes(program, layer));
  return {
    program,
    cluster,
    layers,
    tensors,
    inputs: names.indexOf(cluster.inputs),
    outputs: names.indexOf(cluster.outputs),
    seconds: (device, index, begin, end) => sizes[index]!.seconds(costs, names[device]!, device, end - begin),
    border: (device, bytes) => costs.border(names[device]!, bytes),
    assemble: (device, bytes) => costs.assemble?.(names[device]!, bytes) ?? 0,
    link: linksOf(cluster),
  };
}
