/** The placements of a graph's operators as the whole-number points of a linear program. */

import { CompileError } from '../../error.ts';
import type { CostedTensor, CostGraph, Transfer } from '../cost-graph.ts';
import { costOf, type Placement, type PlacementCost, workingBytes } from './evaluate.ts';
import {
  combine,
  constant,
  difference,
  type Linear,
  LinearProgram,
  type Solution,
  sum,
  times,
  variable,
} from './linear-program.ts';

export interface Placed {
  readonly placement: Placement;
  readonly cost: PlacementCost;
  /** False: time was up before anything better was ruled out. */
  readonly proven: boolean;
}

interface Crossing {
  readonly tensor: CostedTensor;
  readonly from: number;
  readonly to: number;
  /** 1 where the tensor crosses. */
  readonly crosses: Linear;
}

/**
 * Each operator is in one of k stages, one device each. What decides is, for each operator and each border between two stages,
 * whether it comes before that border. With two stages this is the linear program of a minimum cut: its corners are whole.
 */
export class PlacementProgram {
  readonly program = new LinearProgram();
  /** before[v][s]: 1 if operator v is in stage s or an earlier one; of the last stage always. */
  private readonly before: readonly (readonly Linear[])[];
  private readonly crossings: readonly Crossing[];

  /**
   * @param order devices of the stages, each once
   * @param forward operators never read what a later stage makes; otherwise stages are in no order
   * @param longest seconds; what would keep a link busy for longer does not cross it
   */
  constructor(
    private readonly graph: CostGraph,
    private readonly order: readonly number[],
    private readonly forward = true,
    private readonly longest = Number.MAX_VALUE,
  ) {
    this.before = this.bordersOfAll();
    if (forward) this.demandOrder();
    this.crossings = graph.tensors.flatMap((tensor) => this.crossingsOf(tensor));
  }

  /** Operators that nothing may cross between have the same variables. */
  private bordersOfAll(): Linear[][] {
    const { operators, tensors } = this.graph;
    const group = operators.map((_, i) => i);
    const find = (i: number): number => (group[i] === i ? i : find(group[i]!));
    for (const { maker, readers, bytes } of tensors) {
      const pairs = this.order.flatMap((a) => this.order.flatMap((b) => (a === b ? [] : [[a, b] as const])));
      if (maker === null || pairs.some(([from, to]) => this.canCross(from, to, bytes[from]!))) continue;
      for (const reader of readers) group[find(reader)] = find(maker);
    }
    const borders = new Map<number, Linear[]>();
    return operators.map((_, i) => {
      const own = borders.get(find(i)) ?? this.borders();
      borders.set(find(i), own);
      return own;
    });
  }

  private canCross(from: number, to: number, bytes: number): boolean {
    return this.graph.transfer(from, to, bytes).occupied <= this.longest;
  }

  /** One operator's variables. */
  private borders(): Linear[] {
    const inner = this.order.slice(1).map(() => variable(this.program.variable({ whole: true })));
    const borders = [...inner, constant(1)];
    for (const [s, border] of inner.entries()) if (s > 0) this.program.atLeast(border, inner[s - 1]!);
    return borders;
  }

  private demandOrder(): void {
    for (const { maker, readers } of this.graph.tensors) {
      if (maker === null) continue;
      for (const reader of readers) {
        if (this.before[maker] === this.before[reader]) continue;
        for (let s = 0; s < this.order.length - 1; s++) {
          this.program.atLeast(this.before[maker]![s]!, this.before[reader]![s]!);
        }
      }
    }
  }

  /** 1 if the operator is on the device. */
  private on(operator: number, device: number): Linear {
    const stage = this.order.indexOf(device);
    if (stage < 0) return constant(0);
    if (stage === 0) return this.before[operator]![0]!;
    return difference(this.before[operator]![stage]!, this.before[operator]![stage - 1]!);
  }

  private crossingsOf(tensor: CostedTensor): Crossing[] {
    const { graph, order } = this;
    const made = (device: number): Linear =>
      tensor.maker === null ? constant(device === graph.inputs ? 1 : 0) : this.on(tensor.maker, device);
    const readers = tensor.readers.map((reader) => (device: number) => this.on(reader, device));
    const wanted = (device: number) => constant(device === graph.outputs ? 1 : 0);
    const ends = tensor.wanted ? [...readers, wanted] : readers;
    const from = tensor.maker === null ? [graph.inputs] : order;
    const to = new Set([...(readers.length > 0 ? order : []), ...(tensor.wanted ? [graph.outputs] : [])]);
    const crossings = from.flatMap((a) =>
      [...to].filter((b) => this.mayCross(tensor, a, b)).map((b) => this.cross(tensor, a, b)),
    );
    for (const read of ends) this.demandCrossing(crossings, made, read);
    return crossings;
  }

  private mayCross(tensor: CostedTensor, from: number, to: number): boolean {
    if (from === to) return false;
    if (!this.forward || tensor.maker === null) return true;
    return this.order.indexOf(from) < this.order.indexOf(to) || (tensor.wanted && to === this.graph.outputs);
  }

  private cross(tensor: CostedTensor, from: number, to: number): Crossing {
    const crosses = variable(this.program.variable({ upper: this.canCross(from, to, tensor.bytes[from]!) ? 1 : 0 }));
    return { tensor, from, to, crosses };
  }

  /** Made on one device and read on another: it crosses. */
  private demandCrossing(
    crossings: readonly Crossing[],
    made: (device: number) => Linear,
    read: (device: number) => Linear,
  ): void {
    for (const { from, to, crosses } of crossings) {
      this.program.atLeast(sum([crosses, constant(1)]), sum([made(from), read(to)]));
    }
    if (this.order.length < 3) return;
    // Not needed for whole numbers, but without them half an operator on each of two devices would send nothing.
    for (const device of this.order) {
      const into = crossings.filter(({ to }) => to === device).map(({ crosses }) => crosses);
      const outOf = crossings.filter(({ from }) => from === device).map(({ crosses }) => crosses);
      this.program.atLeast(sum(into), difference(read(device), made(device)));
      this.program.atLeast(sum(outOf), difference(made(device), read(device)));
    }
  }

  /** Seconds of the device's operators. */
  busy(device: number): Linear {
    return combine(this.graph.operators.map(({ seconds }, i) => [seconds[device]!, this.on(i, device)] as const));
  }

  /** Seconds of the device's operators and messages. */
  atWork(device: number): Linear {
    return sum([
      this.busy(device),
      this.sumOfTransfers('sending', ({ from }) => from === device),
      this.sumOfTransfers('receiving', ({ to }) => to === device),
    ]);
  }

  /** For each queue of a link the seconds it is busy. */
  queues(): Linear[] {
    const names = new Set(this.crossings.map(({ from, to }) => this.graph.queue(from, to)));
    return [...names].map((name) =>
      this.sumOfTransfers('occupied', ({ from, to }) => this.graph.queue(from, to) === name),
    );
  }

  /** Seconds of an inference, nothing overlapped. */
  seconds(): Linear {
    return sum([...this.order.map((device) => this.busy(device)), this.sumOfTransfers('seconds', () => true)]);
  }

  joules(): Linear {
    const operators = this.order.map((device) =>
      combine(this.graph.operators.map(({ joules }, i) => [joules[device]!, this.on(i, device)] as const)),
    );
    const waiting = times(this.graph.waiting, this.seconds());
    return sum([...operators, this.sumOfTransfers('joules', () => true), waiting]);
  }

  private sumOfTransfers(what: keyof Transfer, which: (crossing: Crossing) => boolean): Linear {
    return combine(
      this.crossings.filter(which).map(({ tensor, from, to, crosses }) => {
        const cost = this.graph.transfer(from, to, tensor.bytes[from]!)[what];
        return [Number.isFinite(cost) ? cost : 0, crosses] as const;
      }),
    );
  }

  /** Weights, and what exists while the hungriest operator runs, within each device's memory. */
  demandMemory(): void {
    for (const device of this.order) {
      const limit = this.graph.devices[device]!.memory;
      if (limit === Number.POSITIVE_INFINITY) continue;
      const on = this.graph.operators.map((_, i) => this.on(i, device));
      const weights = combine(
        this.graph.operators.map(({ weightBytes }, i) => [weightBytes[device]!, on[i]!] as const),
      );
      for (const [i, working] of workingBytes(this.graph)[device]!.entries()) {
        this.program.atLeast(constant(limit), sum([weights, times(working, on[i]!)]));
      }
    }
  }

  /**
   * The placement with the least of `objective`; null: none meets every demand.
   * @param known one that does, for the search to begin with
   * @param presolve whether the solver makes the program smaller first
   * @throws search-time where time was up before any was found, and none is known
   */
  best(objective: Linear, seconds: number, known: Placement | null, presolve = false): Placed | null {
    const start = known ? this.startOf(known) : undefined;
    const found = this.program.minimise(objective, { seconds, start, presolve });
    if (found === 'impossible') return null;
    const placement = found === 'late' ? known : this.placementOf(found);
    if (placement) return { placement, cost: costOf(this.graph, placement), proven: found !== 'late' && found.proven };
    throw new CompileError('search-time', `no placement was found within ${seconds} s, nor that there is none`, {
      hint: 'give the search more time, or name the cuts: --policy cut:NODE',
    });
  }

  /** The variables that say where each operator is. */
  private startOf(placement: Placement): Map<number, number> {
    const start = new Map<number, number>();
    for (const [i, borders] of this.before.entries()) {
      const stage = this.order.indexOf(placement[i]!);
      for (const [s, { terms }] of borders.entries())
        for (const index of terms.keys()) start.set(index, stage <= s ? 1 : 0);
    }
    return start;
  }

  private placementOf({ values }: Solution): Placement {
    const value = ({ terms, constant: offset }: Linear) =>
      [...terms].reduce((total, [index, factor]) => total + factor * values[index]!, offset);
    return this.before.map((borders) => this.order[borders.findIndex((border) => value(border) > 0.5)]!);
  }
}
