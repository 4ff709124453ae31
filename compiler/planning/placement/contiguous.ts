/** The best pipeline whose stages are neighbours in the graph's order of operators: quick, a start for the exact search. */
import { type CostedTensor, type CostGraph, NO_TRANSFER, type Transfer } from '../cost-graph.ts';
import { costOf, type Placement, workingBytes } from './evaluate.ts';

interface Goal {
  /** Of what the busiest device or link direction needs, or all of them together. */
  readonly least: 'interval' | 'seconds';
  /** Most seconds of a device or link direction. */
  readonly longest: number;
}

/** What the operators before a position end with: the stage's place in the order, where it began, and the stage before it. */
interface Ending {
  /** Seconds, of what the goal wants least. */
  readonly cost: number;
  /** Seconds of the last stage, what it sends not counted. */
  readonly busy: number;
  readonly begin: number;
  readonly before: Ending | null;
  readonly stage: number;
}

/** Of all that crosses at a position. */
type Sent = Omit<Transfer, 'joules'>;

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
  private readonly transfers: Sent[][];

  constructor(
    private readonly graph: CostGraph,
    private readonly order: readonly number[],
  ) {
    this.crossing = crossingTensors(graph);
    this.transfers = Array.from({ length: graph.devices.length ** 2 }, () => []);
  }

  private transfer(from: number, to: number, position: number): Sent {
    if (from === to) return NO_TRANSFER;
    const known = this.transfers[from * this.graph.devices.length + to]!;
    const found = known[position];
    if (found) return found;
    const bytes = this.crossing[position]!.map((tensor) => tensor.bytes[from]!);
    const messages = this.graph.joined ? [bytes.reduce((sum, one) => sum + one, 0)] : bytes;
    const transfers = messages.map((one) => this.graph.transfer(from, to, one));
    const total = (what: keyof Sent) => transfers.reduce((sum, one) => sum + one[what], 0);
    const sent = {
      seconds: total('seconds'),
      occupied: total('occupied'),
      sending: total('sending'),
      receiving: total('receiving'),
    };
    known[position] = sent;
    return sent;
  }

  /** Null where memory, links or the goal's limit allow none. */
  best(goal: Goal): Placement | null {
    const n = this.graph.operators.length;
    const best: (Ending | null)[][] = [[]];
    while (best.length <= n) best.push(this.order.map((device, stage) => this.bestStage(device, stage, best, goal)));
    const placements = best[n]!.flatMap((last) => (last ? [placementOf(last, n, this.order)] : []));
    const costs = placements.map((placement) => {
      const cost = costOf(this.graph, placement);
      return cost.interval <= goal.longest ? cost[goal.least] : Number.POSITIVE_INFINITY;
    });
    const least = Math.min(...costs);
    return Number.isFinite(least) ? placements[costs.indexOf(least)]! : null;
  }

  /** The best way to the position after those that `best` has. */
  private bestStage(
    device: number,
    stage: number,
    best: readonly (readonly (Ending | null)[])[],
    { least, longest }: Goal,
  ): Ending | null {
    const { operators, devices, inputs } = this.graph;
    const working = workingBytes(this.graph)[device]!;
    let found: Ending | null = null;
    let [busy, weights, most] = [0, 0, 0];
    for (let begin = best.length - 1; begin >= 0; begin--) {
      const operator = operators[begin]!;
      busy += operator.seconds[device]!;
      weights += operator.weightBytes[device]!;
      most = Math.max(most, working[begin]!);
      if (weights + most > devices[device]!.memory || busy > longest || (found && busy >= found.cost)) break;
      const befores = begin === 0 ? [null] : best[begin]!.slice(0, stage);
      for (const before of befores) {
        if (begin > 0 && !before) continue;
        const sent = this.transfer(before ? this.order[before.stage]! : inputs, device, begin);
        const earlier = before ? { cost: before.cost, busy: before.busy + sent.sending } : { cost: 0, busy: 0 };
        const own = busy + sent.receiving;
        const interval = Math.max(own, sent.occupied, earlier.busy);
        if (interval > longest) continue;
        const cost = least === 'interval' ? Math.max(interval, earlier.cost) : busy + sent.seconds + earlier.cost;
        if (!found || cost < found.cost) found = { cost, busy: own, begin, before, stage };
      }
    }
    return found;
  }
}

/**
 * The least interval and, of intervals equal to that within the share `tie`, the least seconds; null: memory or links allow none.
 * What is sent past a stage is reckoned as if it went through it, but costs are exact.
 */
export function contiguousPipeline(graph: CostGraph, order: readonly number[], tie: number): Placement | null {
  const stages = new Stages(graph, order);
  const closest = stages.best({ least: 'interval', longest: Number.MAX_VALUE });
  if (!closest) return null;
  const known = costOf(graph, closest);
  const quickest = stages.best({ least: 'seconds', longest: known.interval * (1 + tie) });
  return quickest && costOf(graph, quickest).seconds < known.seconds ? quickest : closest;
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
