/** The best pipeline whose stages are neighbours in the graph's order of operators: quick, a start for the exact search. */
import type { CostedTensor, CostGraph } from '../cost-graph.ts';
import { costOf, type Placement, workingBytes } from './evaluate.ts';

/** What the operators before a position end with: the stage's place in the order, where it began, and the stage before it. */
interface Ending {
  readonly interval: number;
  readonly begin: number;
  readonly before: Ending | null;
  readonly stage: number;
}

/** For each position, 0 to the number of operators, the tensors made before it and read, or wanted, after it. */
function crossingTensors({ operators, tensors }: CostGraph): CostedTensor[][] {
  const crossing: CostedTensor[][] = [...operators, null].map(() => []);
  for (const tensor of tensors) {
    const { maker, readers, wanted } = tensor;
    const last = wanted ? operators.length : (readers.at(-1) ?? -1);
    for (let position = (maker ?? -1) + 1; position <= last; position++) crossing[position]!.push(tensor);
  }
  return crossing;
}

class Stages {
  private readonly crossing: readonly (readonly CostedTensor[])[];
  /** By the two devices, then position. */
  private readonly transfers: number[][];

  constructor(
    private readonly graph: CostGraph,
    private readonly order: readonly number[],
  ) {
    this.crossing = crossingTensors(graph);
    this.transfers = Array.from({ length: graph.devices.length ** 2 }, () => []);
  }

  /** Seconds that what crosses at the position keeps the queue between two devices busy. */
  transfer(from: number, to: number, position: number): number {
    if (from === to) return 0;
    const known = this.transfers[from * this.graph.devices.length + to]!;
    const found = known[position];
    if (found !== undefined) return found;
    const bytes = this.crossing[position]!.map((tensor) => tensor.bytes[from]!);
    const messages = this.graph.joined ? [bytes.reduce((sum, one) => sum + one, 0)] : bytes;
    const seconds = messages.reduce((sum, one) => sum + this.graph.transfer(from, to, one).occupied, 0);
    known[position] = seconds;
    return seconds;
  }

  /** Of each stage that may end before `end`: the best way to there. */
  endingAt(end: number, best: readonly (readonly (Ending | null)[])[]): (Ending | null)[] {
    return this.order.map((device, stage) => this.bestStage(device, stage, end, best));
  }

  private bestStage(
    device: number,
    stage: number,
    end: number,
    best: readonly (readonly (Ending | null)[])[],
  ): Ending | null {
    const { operators, devices, inputs } = this.graph;
    const working = workingBytes(this.graph)[device]!;
    let found: Ending | null = null;
    let [busy, weights, most] = [0, 0, 0];
    for (let begin = end - 1; begin >= 0; begin--) {
      const operator = operators[begin]!;
      busy += operator.seconds[device]!;
      weights += operator.weightBytes[device]!;
      most = Math.max(most, working[begin]!);
      if (weights + most > devices[device]!.memory || (found && busy >= found.interval)) break;
      const befores = begin === 0 ? [null] : best[begin]!.slice(0, stage);
      for (const before of befores) {
        if (begin > 0 && !before) continue;
        const from = before ? this.order[before.stage]! : inputs;
        const interval = Math.max(busy, this.transfer(from, device, begin), before?.interval ?? 0);
        if (Number.isFinite(interval) && (!found || interval < found.interval))
          found = { interval, begin, before, stage };
      }
    }
    return found;
  }
}

/** Null where memory or links allow none. What is sent past a stage is reckoned as if it went through it, but costs are exact. */
export function contiguousPipeline(graph: CostGraph, order: readonly number[]): Placement | null {
  const n = graph.operators.length;
  const stages = new Stages(graph, order);
  const best: (Ending | null)[][] = [[]];
  for (let end = 1; end <= n; end++) best.push(stages.endingAt(end, best));
  const placements = best[n]!.flatMap((last) => (last ? [placementOf(last, n, order)] : []));
  const intervals = placements.map((placement) => costOf(graph, placement).interval);
  const least = Math.min(...intervals);
  return Number.isFinite(least) ? placements[intervals.indexOf(least)]! : null;
}

function placementOf(last: Ending, operators: number, order: readonly number[]): Placement {
  const placement: number[] = [];
  let end = operators;
  for (let stage: Ending | null = last; stage; stage = stage.before) {
    placement.unshift(...Array<number>(end - stage.begin).fill(order[stage.stage]!));
    end = stage.begin;
  }
  return placement;
}
