/** Orders each device's operators into steps: what others wait for first, then what hides the wait, then the wait. */
import type { Cluster } from '../compiler/cluster/cluster.ts';
import type { Assemble, Compute, Operator, Program, Receive, Send, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import type { Costs } from '../compiler/planning/costs/costs.ts';
import { valueBytes } from '../compiler/planning/costs/roofline.ts';
import { canAssemble, type Step } from '../compiler/planning/schedule.ts';

type Work = Compute | Assemble;
type Group = readonly Work[] | Send | Receive;

/** Sends that are weighed against each other at a time; more only cost time to compare. */
const COMPARED = 16;

/** One device's operators and how they depend on each other. Every operator and dependence is looked at a few times only. */
class DeviceOrder {
  /** In the order they will run. */
  readonly groups: Group[] = [];
  private readonly position = new Map<Operator, number>();
  private readonly makersOf = new Map<Operator, readonly Operator[]>();
  private readonly readersOf = new Map<Operator, Operator[]>();
  private readonly pending: Set<Operator>;
  /** How many makers of an operator wait for a receive, themselves or further up; none: it can run now. */
  private readonly blockedMakers = new Map<Operator, number>();
  private readonly freeSends = new Set<Send>();
  private readonly freeWork = new Set<Work>();
  /** Not yet received, by sender, in the order they are sent. */
  private readonly receives = new Map<string, Receive[]>();
  /** Everything before it is done, or a receive. */
  private first = 0;

  constructor(
    private readonly operators: readonly Operator[],
    /** Predicted, on this device. */
    private readonly seconds: (operator: Work) => number,
    /** Predicted, of values that cross a session's border. */
    private readonly border: (values: readonly Value[]) => number,
  ) {
    this.pending = new Set(operators);
    const maker = new Map<string, Operator>();
    for (const [i, operator] of operators.entries()) {
      const makers = [...new Set(reads(operator).flatMap((value) => maker.get(valueKey(value)) ?? []))];
      this.position.set(operator, i);
      this.makersOf.set(operator, makers);
      this.readersOf.set(operator, []);
      for (const one of makers) this.readersOf.get(one)!.push(operator);
      for (const value of writes(operator)) maker.set(valueKey(value), operator);
      this.blockedMakers.set(operator, makers.filter((one) => this.isBlocked(one)).length);
      if (operator.kind === 'receive') {
        const queue = this.receives.get(operator.from) ?? [];
        queue.push(operator);
        this.receives.set(operator.from, queue);
      } else if (!this.isBlocked(operator)) this.free(operator);
    }
  }

  private isBlocked(operator: Operator): boolean {
    if (operator.kind === 'receive') return this.pending.has(operator);
    return this.blockedMakers.get(operator)! > 0;
  }

  private free(operator: Work | Send): void {
    if (operator.kind === 'send') this.freeSends.add(operator);
    else this.freeWork.add(operator);
  }

  run(): void {
    while (this.pending.size > 0) {
      if (this.freeSends.size > 0) {
        const first = this.cheapest();
        this.work(this.needed(first));
        for (const send of first) this.send(send);
      } else if (this.freeWork.size > 0) {
        this.work(this.inOrder(this.freeWork));
      } else {
        this.wait();
      }
    }
  }

  private inOrder<T extends Operator>(operators: Iterable<T>): T[] {
    return [...operators].sort((a, b) => this.position.get(a)! - this.position.get(b)!);
  }

  private send(operator: Send): void {
    this.pending.delete(operator);
    this.freeSends.delete(operator);
    this.groups.push(operator);
  }

  private work(operators: readonly Work[]): void {
    if (operators.length === 0) return;
    for (const operator of operators) {
      this.pending.delete(operator);
      this.freeWork.delete(operator);
    }
    this.groups.push(operators);
  }

  private receive(operator: Receive): void {
    this.pending.delete(operator);
    this.groups.push(operator);
    const unblocked: Operator[] = [operator];
    for (const one of unblocked) {
      for (const reader of this.readersOf.get(one)!) {
        const left = this.blockedMakers.get(reader)! - 1;
        this.blockedMakers.set(reader, left);
        if (left > 0 || reader.kind === 'receive') continue;
        this.free(reader);
        unblocked.push(reader);
      }
    }
  }

  /** What the sends need of what can run now, in order. */
  private needed(sends: readonly Send[]): Work[] {
    const needed = new Set<Work>();
    const visited: Operator[] = [...sends];
    for (const operator of visited) {
      for (const maker of this.makersOf.get(operator)!) {
        if (maker.kind !== 'compute' && maker.kind !== 'assemble') continue;
        if (!this.freeWork.has(maker) || needed.has(maker)) continue;
        needed.add(maker);
        visited.push(maker);
      }
    }
    return this.inOrder(needed);
  }

  /** The sends that can leave first: the one that needs the least work, and those not worth another border after it. */
  private cheapest(): Send[] {
    const order = this.inOrder(this.freeSends)
      .slice(0, COMPARED)
      .map((send) => {
        const needed = this.needed([send]);
        return { send, needed, cost: needed.reduce((sum, operator) => sum + this.seconds(operator), 0) };
      })
      .sort((a, b) => a.cost - b.cost);
    const limit = order[0]!.cost + this.borderAfter(order[0]!.needed);
    return order.filter(({ cost }) => cost <= limit).map(({ send }) => send);
  }

  /** Seconds that it costs to end a session after these operators: what the others read of them crosses its border. */
  private borderAfter(operators: readonly Work[]): number {
    const inside = new Set<Operator>(operators);
    const crossing = operators.filter((operator) =>
      this.readersOf.get(operator)!.some((reader) => !inside.has(reader)),
    );
    return this.border(crossing.flatMap(writes));
  }

  /** Receives what the first operator lacks, and what its senders sent before that: it is there already. */
  private wait(): void {
    const isReady = (operator: Operator) => operator.kind === 'receive' || !this.pending.has(operator);
    while (this.first < this.operators.length && isReady(this.operators[this.first]!)) this.first++;
    const operator = this.operators[this.first];
    const wanted = new Set<Operator>(operator ? this.makersOf.get(operator) : this.pending);
    for (const queue of this.receives.values()) {
      const last = queue.findLastIndex((receive) => wanted.has(receive));
      for (const receive of queue.splice(0, last + 1)) this.receive(receive);
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
  costs: Costs,
): Map<string, readonly Step[]> {
  return new Map(
    cluster.devices.map(({ name }) => {
      const own = program.operators.filter((operator) => operator.device === name);
      const bytes = (values: readonly Value[]) => values.reduce((sum, value) => sum + valueBytes(program, value), 0);
      const order = new DeviceOrder(
        own,
        (operator) => costs.seconds(name, program, operator),
        (values) => costs.border(name, bytes(values)),
      );
      order.run();
      const groups = order.groups.flatMap((group) => assembledApart(program, group));
      return [name, toSteps(program, name, withOpaqueMakers(program, groups))];
    }),
  );
}
