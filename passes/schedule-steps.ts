/** Orders each device's operators into steps: what others wait for first, then what hides the wait, then the wait. */
import type { Cluster } from '../compiler/cluster/cluster.ts';
import type { Assemble, Compute, Operator, Program, Receive, Send, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import { borderSeconds, type CostModel, valueBytes } from '../compiler/planning/cost.ts';
import type { Segment, Step } from '../compiler/planning/schedule.ts';

type Work = Compute | Assemble;

/** One device's operators and how they depend on each other. */
class DeviceOrder {
  private readonly pending: Set<Operator>;
  private readonly makers = new Map<string, Operator>();
  private readonly makersOf = new Map<Operator, readonly Operator[]>();
  /** In the order they will run. */
  readonly groups: (readonly Work[] | Send | Receive)[] = [];

  constructor(
    operators: readonly Operator[],
    /** Predicted, on this device. */
    private readonly seconds: (operator: Work) => number,
    /** Predicted, of values that cross a session's border. */
    private readonly border: (values: readonly Value[]) => number,
  ) {
    this.pending = new Set(operators);
    for (const operator of operators) {
      const makers = reads(operator).flatMap((value) => this.makers.get(valueKey(value)) ?? []);
      this.makersOf.set(operator, makers);
      for (const value of writes(operator)) this.makers.set(valueKey(value), operator);
    }
  }

  run(): void {
    while (this.pending.size > 0) {
      const blocked = this.blocked();
      const free = [...this.pending].filter((operator) => !blocked.has(operator));
      const sends = free.filter((operator) => operator.kind === 'send');
      const work = free.filter((operator) => operator.kind === 'compute' || operator.kind === 'assemble');
      if (sends.length > 0) {
        const first = this.cheapest(sends, work);
        this.work(this.needed(first, work));
        for (const send of first) this.take(send);
      } else if (work.length > 0) {
        this.work(work);
      } else {
        this.wait(blocked);
      }
    }
  }

  private take(operator: Send | Receive): void {
    this.pending.delete(operator);
    this.groups.push(operator);
  }

  private work(operators: readonly Work[]): void {
    if (operators.length === 0) return;
    for (const operator of operators) this.pending.delete(operator);
    this.groups.push(operators);
  }

  /** Pending operators that cannot run before a pending receive; receives themselves included. */
  private blocked(): Set<Operator> {
    const blocked = new Set<Operator>();
    // The list is in topological order: makers come first.
    for (const operator of this.pending) {
      const waits = operator.kind === 'receive' || this.makersOf.get(operator)!.some((maker) => blocked.has(maker));
      if (waits) blocked.add(operator);
    }
    return blocked;
  }

  /** Those of `work` that the sends need, in order. */
  private needed(sends: readonly Send[], work: readonly Work[]): Work[] {
    const needed = new Set<Operator>();
    const visit = (operator: Operator) => {
      if (!this.pending.has(operator) || needed.has(operator)) return;
      needed.add(operator);
      this.makersOf.get(operator)!.forEach(visit);
    };
    sends.forEach(visit);
    return work.filter((operator) => needed.has(operator));
  }

  /** The sends that can leave first: the one that needs the least work, and those not worth another border after it. */
  private cheapest(sends: readonly Send[], work: readonly Work[]): Send[] {
    const order = sends
      .map((send) => {
        const needed = this.needed([send], work);
        return { send, needed, cost: needed.reduce((sum, operator) => sum + this.seconds(operator), 0) };
      })
      .sort((a, b) => a.cost - b.cost);
    const limit = order[0]!.cost + this.borderAfter(order[0]!.needed);
    return order.filter(({ cost }) => cost <= limit).map(({ send }) => send);
  }

  /** Seconds that it costs to end a session after these operators: what the others read of them crosses its border. */
  private borderAfter(operators: readonly Work[]): number {
    const inside = new Set<Operator>(operators);
    const outside = [...this.pending].filter((operator) => !inside.has(operator));
    const read = new Set(outside.flatMap((operator) => reads(operator).map(valueKey)));
    return this.border(operators.flatMap(writes).filter((value) => read.has(valueKey(value))));
  }

  /** Receives what the first blocked operator lacks, and what its peers sent before that: it is there already. */
  private wait(blocked: ReadonlySet<Operator>): void {
    const first = [...blocked].find((operator) => operator.kind !== 'receive');
    const wanted = new Set<Operator>();
    const visit = (operator: Operator) => {
      if (!blocked.has(operator) || wanted.has(operator)) return;
      wanted.add(operator);
      this.makersOf.get(operator)!.forEach(visit);
    };
    if (first) visit(first);
    const receives = [...blocked].filter((operator) => operator.kind === 'receive');
    for (const [i, receive] of receives.entries()) {
      const sameOrLater = receives.slice(i).filter(({ from }) => from === receive.from);
      if (!first || sameOrLater.some((other) => wanted.has(other))) this.take(receive);
    }
  }
}

/** Adds to each run of operators what crosses its borders. */
function toSteps(program: Program<'linked'>, device: string, groups: DeviceOrder['groups']): Step[] {
  const wanted =
    device === program.placement!.outputs
      ? program.outputs.map((name) => valueKey(wholeValue(tensorOf(program, name))))
      : [];
  /** Last group that reads a value. */
  const lastRead = new Map<string, number>(wanted.map((key) => [key, groups.length]));
  const membersOf = (group: (typeof groups)[number]): readonly Operator[] => ('kind' in group ? [group] : group);
  for (const [i, group] of groups.entries()) {
    for (const operator of membersOf(group)) {
      for (const value of reads(operator)) {
        const key = valueKey(value);
        lastRead.set(key, Math.max(i, lastRead.get(key) ?? 0));
      }
    }
  }
  let index = 0;
  return groups.map((group, i): Step => {
    if ('kind' in group) {
      const { channel, value } = group;
      return group.kind === 'send'
        ? { kind: 'send', channel, value, to: group.to }
        : { kind: 'receive', channel, value, from: group.from };
    }
    const made = new Map(group.flatMap(writes).map((value) => [valueKey(value), value]));
    const read = new Map<string, Value>();
    for (const value of group.flatMap(reads)) {
      const key = valueKey(value);
      if (!made.has(key) && tensorOf(program, value.tensor).role !== 'weight') read.set(key, value);
    }
    const outputs = [...made].filter(([key]) => (lastRead.get(key) ?? -1) > i).map(([, value]) => value);
    return { kind: 'segment', index: index++, operators: group, inputs: [...read.values()], outputs } satisfies Segment;
  });
}

/** The steps of every device, in the cluster's order. Sends never block, so any order that respects dependences ends. */
export function scheduleSteps(
  program: Program<'linked'>,
  cluster: Cluster,
  costs: CostModel,
): Map<string, readonly Step[]> {
  return new Map(
    cluster.devices.map(({ name, speed }) => {
      const own = program.operators.filter((operator) => operator.device === name);
      const bytes = (values: readonly Value[]) => values.reduce((sum, value) => sum + valueBytes(program, value), 0);
      const order = new DeviceOrder(
        own,
        (operator) => costs.seconds(program, operator) / speed,
        (values) => borderSeconds(bytes(values)) / speed,
      );
      order.run();
      return [name, toSteps(program, name, order.groups)];
    }),
  );
}
