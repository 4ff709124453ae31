/** The order of one device's operators: what others wait for first, then what hides the wait, then the wait. */
import { listAt } from '../compiler/ir/lists.ts';
import type { Assemble, Compute, Operator, Receive, Send, Value } from '../compiler/ir/program.ts';
import { reads, valueKey, writes } from '../compiler/ir/program.ts';

export type Work = Compute | Assemble;
/** Work in one go, or one end of a transfer. */
export type Group = readonly Work[] | Send | Receive;

/** Predicted seconds on one device. */
export interface OrderCosts {
  seconds(operator: Work): number;
  /** Of values that cross a session's border. */
  border(values: readonly Value[]): number;
  /** That the link is busy with what is sent. */
  transfer(send: Send): number;
}

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
  /** By receiver: seconds for which the link has enough to do. */
  private readonly queued = new Map<string, number>();

  constructor(
    private readonly operators: readonly Operator[],
    private readonly costs: OrderCosts,
    private readonly isUnpacking: (operator: Operator) => boolean,
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
      if (operator.kind === 'receive') listAt(this.receives, operator.from).push(operator);
      else if (!this.isBlocked(operator)) this.free(operator);
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
    this.queued.set(operator.to, (this.queued.get(operator.to) ?? 0) + this.costs.transfer(operator));
  }

  private work(operators: readonly Work[]): void {
    if (operators.length === 0) return;
    for (const operator of operators) {
      this.pending.delete(operator);
      this.freeWork.delete(operator);
    }
    this.groups.push(operators);
    const seconds = this.secondsOf(operators);
    for (const [peer, queued] of this.queued) this.queued.set(peer, Math.max(0, queued - seconds));
  }

  private secondsOf(operators: readonly Work[]): number {
    return operators.reduce((sum, operator) => sum + this.costs.seconds(operator), 0);
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

  /**
   * The sends that can leave first: the one that needs the least work, and those for which it is not worth another border, or
   * need not hurry, since the link has enough to do until they are ready.
   */
  private cheapest(): Send[] {
    const all = this.inOrder(this.freeSends)
      .slice(0, COMPARED)
      .map((send) => {
        const needed = this.needed([send]);
        return { send, needed, cost: this.secondsOf(needed) };
      });
    const cheapest = all.reduce((a, b) => (b.cost < a.cost ? b : a));
    const limit = cheapest.cost + this.borderAfter(cheapest.needed);
    const patience = Math.max(limit, this.queued.get(cheapest.send.to) ?? 0);
    const chosen: Send[] = [];
    const needed = new Set<Work>();
    // Those that are as good leave in the order of their use.
    for (const one of all.filter(({ cost }) => cost <= limit)) {
      for (const operator of one.needed) needed.add(operator);
      if (chosen.length > 0 && this.secondsOf([...needed]) > patience) break;
      chosen.push(one.send);
    }
    return chosen;
  }

  /** Seconds that it costs to end a session after these operators: what the others read of them crosses its border. */
  private borderAfter(operators: readonly Work[]): number {
    const inside = new Set<Operator>(operators);
    const crossing = operators.filter((operator) =>
      this.readersOf.get(operator)!.some((reader) => !inside.has(reader)),
    );
    return this.costs.border(crossing.flatMap(writes));
  }

  /**
   * Receives what the first operator lacks, and what its senders sent before that: it is there already. Nobody waits for what
   * unpacks a received value, which runs beside its readers, but these.
   */
  private wait(): void {
    // Nobody knows how long this takes: the links may be idle after it.
    this.queued.clear();
    const isReady = (operator: Operator) =>
      operator.kind === 'receive' || !this.pending.has(operator) || this.isUnpacking(operator);
    while (this.first < this.operators.length && isReady(this.operators[this.first]!)) this.first++;
    const operator = this.operators[this.first];
    const makers = (one: Operator): readonly Operator[] => this.makersOf.get(one)!;
    const wanted = new Set<Operator>(
      operator
        ? makers(operator).flatMap((maker) => (this.isUnpacking(maker) ? makers(maker) : [maker]))
        : this.pending,
    );
    for (const queue of this.receives.values()) {
      const last = queue.findLastIndex((receive) => wanted.has(receive));
      for (const receive of queue.splice(0, last + 1)) this.receive(receive);
    }
  }
}

/** @param isUnpacking whether an operator is made again beside every reader */
export function orderOperators(
  operators: readonly Operator[],
  costs: OrderCosts,
  isUnpacking: (operator: Operator) => boolean,
): Group[] {
  const order = new DeviceOrder(operators, costs, isUnpacking);
  order.run();
  return order.groups;
}
