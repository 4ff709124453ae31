/** What one device can do: which operators still wait for a receive, and which sends are worth making first. */
import type { Assemble, Compute, Operator, Receive, Send, Value } from '../../compiler/ir/program.ts';
import { reads, valueKey, writes } from '../../compiler/ir/program.ts';

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

export interface DeviceOperators {
  readonly operators: readonly Operator[];
  readonly costs: OrderCosts;
  /** Whether an operator is made again beside every reader. */
  readonly isUnpacking: (operator: Operator) => boolean;
}

/** Sends that are weighed against each other at a time; more only cost time to compare. */
const COMPARED = 16;

/** Every operator and dependence is looked at a few times only. */
export class Readiness {
  readonly pending: Set<Operator>;
  /** What can run, or be sent once what can run has run. */
  readonly freeSends = new Set<Send>();
  readonly freeWork = new Set<Work>();
  private readonly position = new Map<Operator, number>();
  private readonly makers = new Map<Operator, readonly Operator[]>();
  private readonly readers = new Map<Operator, Operator[]>();
  /** How many makers of an operator wait for a receive, themselves or further up; none: it can run now. */
  private readonly blockedMakers = new Map<Operator, number>();

  constructor(private readonly device: DeviceOperators) {
    this.pending = new Set(device.operators);
    const maker = new Map<string, Operator>();
    for (const [i, operator] of device.operators.entries()) {
      const makers = [...new Set(reads(operator).flatMap((value) => maker.get(valueKey(value)) ?? []))];
      this.position.set(operator, i);
      this.makers.set(operator, makers);
      this.readers.set(operator, []);
      for (const one of makers) this.readers.get(one)!.push(operator);
      for (const value of writes(operator)) maker.set(valueKey(value), operator);
      this.blockedMakers.set(operator, makers.filter((one) => this.isBlocked(one)).length);
      if (operator.kind !== 'receive' && !this.isBlocked(operator)) this.free(operator);
    }
  }

  makersOf(operator: Operator): readonly Operator[] {
    return this.makers.get(operator)!;
  }

  private isBlocked(operator: Operator): boolean {
    if (operator.kind === 'receive') return this.pending.has(operator);
    return this.blockedMakers.get(operator)! > 0;
  }

  private free(operator: Work | Send): void {
    if (operator.kind === 'send') this.freeSends.add(operator);
    else this.freeWork.add(operator);
  }

  inOrder<T extends Operator>(operators: Iterable<T>): T[] {
    return [...operators].sort((a, b) => this.position.get(a)! - this.position.get(b)!);
  }

  secondsOf(operators: readonly Work[]): number {
    return operators.reduce((sum, operator) => sum + this.device.costs.seconds(operator), 0);
  }

  send(operator: Send): void {
    this.pending.delete(operator);
    this.freeSends.delete(operator);
  }

  work(operator: Work): void {
    this.pending.delete(operator);
    this.freeWork.delete(operator);
  }

  receive(operator: Receive): void {
    this.pending.delete(operator);
    const unblocked: Operator[] = [operator];
    for (const one of unblocked) {
      for (const reader of this.readers.get(one)!) {
        const left = this.blockedMakers.get(reader)! - 1;
        this.blockedMakers.set(reader, left);
        if (left > 0 || reader.kind === 'receive') continue;
        this.free(reader);
        unblocked.push(reader);
      }
    }
  }

  /** What the sends need of what can run now, in order. */
  needed(sends: readonly Send[]): Work[] {
    const needed = new Set<Work>();
    const visited: Operator[] = [...sends];
    for (const operator of visited) {
      for (const maker of this.makersOf(operator)) {
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
   * @param queued seconds for which the link to a peer has enough to do
   */
  cheapest(queued: (peer: string) => number): Send[] {
    const all = this.inOrder(this.freeSends)
      .slice(0, COMPARED)
      .map((send) => {
        const needed = this.needed([send]);
        return { send, needed, cost: this.secondsOf(needed) };
      });
    const cheapest = all.reduce((a, b) => (b.cost < a.cost ? b : a));
    const limit = cheapest.cost + this.borderAfter(cheapest.needed);
    const patience = Math.max(limit, queued(cheapest.send.to));
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
  borderAfter(operators: readonly Work[]): number {
    const inside = new Set<Operator>(operators);
    const crossing = operators.filter((operator) => this.readers.get(operator)!.some((reader) => !inside.has(reader)));
    return this.device.costs.border(crossing.flatMap(writes));
  }
}
