/** Orders each device's operators into steps: what others wait for first, then what hides the wait, then the wait. */
import type { Cluster } from '../compiler/cluster/cluster.ts';
import type { Assemble, Compute, Operator, Program, Receive, Send, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import { borderSeconds, type CostModel, valueBytes } from '../compiler/planning/cost.ts';
import { canAssemble, type Step } from '../compiler/planning/schedule.ts';

type Work = Compute | Assemble;
type Group = readonly Work[] | Send | Receive;

/** One device's operators and how they depend on each other. */
class DeviceOrder {
  private readonly pending: Set<Operator>;
  private readonly makers = new Map<string, Operator>();
  private readonly makersOf = new Map<Operator, readonly Operator[]>();
  /** In the order they will run. */
  readonly groups: Group[] = [];

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

/** Assemble operators that the model's opset cannot say run in groups of their own. */
function assembledApart(program: Program<'linked'>, group: Group): Group[] {
  if ('kind' in group) return [group];
  const opset = program.opsets[''] ?? 1;
  const groups: Work[][] = [];
  let before: boolean | undefined;
  for (const operator of group) {
    const apart = operator.kind === 'assemble' && !canAssemble(opset, operator);
    if (apart === before) groups.at(-1)!.push(operator);
    else groups.push([operator]);
    before = apart;
  }
  return groups;
}

/** A sequence, a map, a bfloat16 tensor cannot leave its session: every group that reads one makes it again. */
function withOpaqueMakers(program: Program<'linked'>, groups: readonly Group[]): Group[] {
  const isOpaque = (value: Value) => tensorOf(program, value.tensor).dtype === null;
  const makers = new Map<string, Work>();
  return groups.map((group) => {
    if ('kind' in group) return group;
    const members = new Set<Work>();
    const add = (operator: Work) => {
      for (const value of reads(operator).filter(isOpaque)) {
        const maker = makers.get(valueKey(value));
        if (maker) add(maker);
      }
      members.add(operator);
    };
    for (const operator of group) {
      add(operator);
      for (const value of writes(operator).filter(isOpaque)) makers.set(valueKey(value), operator);
    }
    return [...members];
  });
}

/** What a group needs from before it, and what it makes. */
function bordersOf(program: Program<'linked'>, group: Group) {
  const members: readonly Operator[] = 'kind' in group ? [group] : group;
  const made = new Map(members.flatMap(writes).map((value) => [valueKey(value), value]));
  const read = new Map<string, Value>();
  for (const value of members.flatMap(reads)) {
    const key = valueKey(value);
    if (!made.has(key) && tensorOf(program, value.tensor).role !== 'weight') read.set(key, value);
  }
  return { made, read };
}

/** Adds to each run of operators what crosses its borders; those that nobody needs are left out. */
function toSteps(program: Program<'linked'>, device: string, groups: readonly Group[]): Step[] {
  const wanted =
    device === program.placement!.outputs ? program.outputs.map((name) => wholeValue(tensorOf(program, name))) : [];
  const borders = groups.map((group) => bordersOf(program, group));
  /** Last group that needs a value. */
  const lastRead = new Map<string, number>();
  for (const [i, { read }] of borders.entries()) for (const key of read.keys()) lastRead.set(key, i);
  for (const value of wanted) lastRead.set(valueKey(value), groups.length);
  const passedOn = new Set<string>();
  let index = 0;
  const steps = groups.flatMap((group, i): Step[] => {
    if ('kind' in group) {
      const { channel, value } = group;
      return [
        group.kind === 'send'
          ? { kind: 'send', channel, value, to: group.to }
          : { kind: 'receive', channel, value, from: group.from },
      ];
    }
    const { made, read } = borders[i]!;
    const outputs = [...made].filter(([key]) => (lastRead.get(key) ?? -1) > i && !passedOn.has(key));
    for (const [key] of outputs) passedOn.add(key);
    if (outputs.length === 0) return [];
    const values = outputs.map(([, value]) => value);
    return [{ kind: 'segment', index: index++, operators: group, inputs: [...read.values()], outputs: values }];
  });
  const weights = wanted.filter(({ tensor }) => tensorOf(program, tensor).role === 'weight');
  if (weights.length > 0) steps.push({ kind: 'segment', index, operators: [], inputs: [], outputs: weights });
  return steps;
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
      const groups = order.groups.flatMap((group) => assembledApart(program, group));
      return [name, toSteps(program, name, withOpaqueMakers(program, groups))];
    }),
  );
}
