/**
 * No layout is faster than this: a linear relaxation in which devices compute and links send any fractions, all at once. What is
 * dropped: order, latency, halos beyond the first element, session borders.
 */
import { combine, constant, type Linear, LinearProgram, variable } from '../placement/linear-program.ts';
import { type Layer, type LayerGraph, type LayerRead, NO_LINK } from './layers.ts';

/** Seconds the solver may take. */
const PATIENCE = 20;

export interface Bound {
  /** Of one inference, at least; {@link NO_LINK} where no links lead from the inputs to the outputs. */
  readonly seconds: number;
  /** The fractions of each layer that the devices compute in the relaxation: a hint where to look; none where it has no solution. */
  readonly shares: readonly (readonly number[])[];
}

/** More bytes than frames and overheads count for. */
const MANY = 1e15;

/**
 * A tile of a fraction x of a layer reads at least `slope * x + offset` of the tensor: every element of the output has
 * a stretch of the input that no other one begins in.
 */
function leastRead({ length, step }: Layer, read: LayerRead, size: number): { slope: number; offset: number } {
  const { fraction, proportional } = read;
  const tiles = read.begin.length - 1;
  if (length === 1) return { slope: 1, offset: 0 };
  // A tile that reads all of the tensor reads more than any fraction of it.
  const isWhole =
    read.begin.every((at, i) => i === tiles || at === 0) && read.end.every((at, i) => i === 0 || at === size);
  if (isWhole || proportional) return { slope: isWhole ? fraction : 0, offset: 0 };
  const own = Array.from({ length: tiles }, (_, i) => {
    const next = i + 1 < tiles ? read.begin[i + 1]! : size;
    return Math.max(0, Math.min(next, read.end[i + 1]!) - read.begin[i]!);
  });
  const most = own.toSorted((a, b) => a - b)[tiles >> 1]!;
  const total = own.reduce((sum, stretch) => sum + Math.min(stretch, most), 0);
  // The last tile may be a short one: it counts as whole where it is left out.
  return { slope: (fraction * (length / step) * most) / size, offset: (fraction * (total - tiles * most)) / size };
}

/** The least seconds per whole layer at which a device computes any part of it. */
function rate(graph: LayerGraph, device: number, { index, length, step }: Layer): number {
  const parts = [1, 2, 4, 8].map((parts) => Math.max(step, Math.floor(length / parts / step) * step));
  return Math.min(
    ...parts.map((n) => graph.seconds(device, index, 0, Math.min(n, length)) * (length / Math.min(n, length))),
  );
}

class Relaxation {
  private readonly program = new LinearProgram();
  private readonly makespan = this.program.variable({ upper: Number.POSITIVE_INFINITY });
  /** By layer, then device. */
  private readonly shares: number[][];
  private readonly busy: [number, Linear][][];
  /** By queue: how far it may be ahead, and what it carries. */
  private readonly sent = new Map<number, { readonly lead: number; readonly terms: [number, Linear][] }>();
  private readonly devices: readonly number[];

  constructor(
    private readonly graph: LayerGraph,
    /** Seconds: keeps the numbers near 1. */
    private readonly unit: number,
  ) {
    this.devices = graph.cluster.devices.map((_, i) => i);
    this.shares = graph.layers.map(() => this.devices.map(() => this.program.variable()));
    this.busy = this.devices.map(() => []);
  }

  solve(): Bound {
    const { graph, program, devices } = this;
    for (const layer of graph.layers) {
      const all = devices.map((device) => [1, variable(this.shares[layer.index]![device]!)] as const);
      program.atLeast(combine(all), constant(1));
      for (const device of devices) {
        this.busy[device]!.push([rate(graph, device, layer) / this.unit, variable(this.shares[layer.index]![device]!)]);
      }
    }
    for (const tensor of graph.tensors.keys()) this.addTensor(tensor);
    const whole: readonly [number, Linear] = [1, variable(this.makespan)];
    for (const terms of this.busy) program.atLeast(combine([whole]), combine(terms));
    for (const { lead, terms } of this.sent.values()) {
      program.atLeast(combine([whole, [lead / this.unit, constant(1)]]), combine(terms));
    }
    const solution = program.minimise(variable(this.makespan), { seconds: PATIENCE });
    if (solution === 'late') throw new Error(`the relaxation of a plan has no solution after ${PATIENCE} s`);
    if (solution === 'impossible') return { seconds: NO_LINK, shares: [] };
    return {
      seconds: solution.values[this.makespan]! * this.unit,
      shares: this.shares.map((row) => row.map((index) => solution.values[index]!)),
    };
  }

  /** What a device reads of a tensor it has made or been sent. */
  private addTensor(tensor: number): void {
    const { graph, program, devices } = this;
    const { maker, length, wanted } = graph.tensors[tensor]!;
    const made = devices.map((device) =>
      maker === null ? constant(device === graph.inputs ? 1 : 0) : variable(this.shares[maker]![device]!),
    );
    const readers = graph.layers.flatMap((layer) =>
      layer.reads
        .filter((read) => read.tensor === tensor)
        .map((read) => ({ layer, ...leastRead(layer, read, length) })),
    );
    if (readers.length === 0 && !wanted) return;
    for (const device of devices) {
      const available = combine([[1, made[device]!], ...this.received(tensor, device, made)]);
      for (const { layer, slope, offset } of readers) {
        const share = variable(this.shares[layer.index]![device]!);
        program.atLeast(
          available,
          combine([
            [slope, share],
            [offset, constant(1)],
          ]),
        );
      }
      if (wanted && device === graph.outputs) program.atLeast(available, constant(1));
    }
  }

  private received(tensor: number, to: number, made: readonly Linear[]): [number, Linear][] {
    const { graph, program } = this;
    const { unitBytes, length } = graph.tensors[tensor]!;
    const bytes = unitBytes * length;
    return this.devices.flatMap((from): [number, Linear][] => {
      const { queue, seconds, lead } = graph.link(from, to);
      const isLinked = from !== to && seconds(0) < NO_LINK;
      if (!isLinked || (made[from]!.terms.size === 0 && made[from]!.constant === 0)) return [];
      const sent = variable(program.variable());
      program.atLeast(made[from]!, sent);
      const terms: [number, Linear][] = this.sent.get(queue)?.terms ?? [];
      // Bytes alone: what messages and frames cost besides depends on how many there are.
      terms.push([(((seconds(MANY) - seconds(0)) / MANY) * bytes) / this.unit, sent]);
      this.sent.set(queue, { lead, terms });
      return [[1, sent]];
    });
  }
}

/** The lower bound of the seconds of one inference, over all layouts of a graph. `loadSolver` comes first. */
export function boundOf(graph: LayerGraph): Bound {
  const whole = graph.layers.reduce((sum, { index, length }) => sum + graph.seconds(graph.inputs, index, 0, length), 0);
  return new Relaxation(graph, whole || 1).solve();
}
