/** The order of one device's operators, whenever its peers send: what others wait for first, then what hides the wait, then the wait. */
import { listAt } from '../../compiler/ir/lists.ts';
import type { Operator, Receive } from '../../compiler/ir/program.ts';
import { type DeviceOperators, type Group, Readiness, type Work } from './readiness.ts';

class AloneOrder {
  /** In the order they will run. */
  readonly groups: Group[] = [];
  private readonly readiness: Readiness;
  /** Not yet received, by sender, in the order they are sent. */
  private readonly receives = new Map<string, Receive[]>();
  /** Everything before it is done, or a receive. */
  private first = 0;
  /** By receiver: seconds for which the link has enough to do. */
  private readonly queued = new Map<string, number>();

  constructor(private readonly device: DeviceOperators) {
    this.readiness = new Readiness(device);
    for (const operator of device.operators)
      if (operator.kind === 'receive') listAt(this.receives, operator.from).push(operator);
  }

  run(): void {
    const { pending, freeSends, freeWork } = this.readiness;
    while (pending.size > 0) {
      if (freeSends.size > 0) {
        const sends = this.readiness.cheapest((peer) => this.queued.get(peer) ?? 0);
        this.work(this.readiness.needed(sends));
        for (const send of sends) {
          this.readiness.send(send);
          this.groups.push(send);
          this.queued.set(send.to, (this.queued.get(send.to) ?? 0) + this.device.costs.transfer(send));
        }
      } else if (freeWork.size > 0) {
        this.work(this.readiness.inOrder(freeWork));
      } else {
        this.wait();
      }
    }
  }

  private work(operators: readonly Work[]): void {
    if (operators.length === 0) return;
    for (const operator of operators) this.readiness.work(operator);
    this.groups.push(operators);
    const seconds = this.readiness.secondsOf(operators);
    for (const [peer, queued] of this.queued) this.queued.set(peer, Math.max(0, queued - seconds));
  }

  /**
   * Receives what the first operator lacks, and what its senders sent before that: it is there already. Nobody waits for what
   * unpacks a received value, which runs beside its readers, but these.
   */
  private wait(): void {
    // Nobody knows how long this takes: the links may be idle after it.
    this.queued.clear();
    const { operators, isUnpacking } = this.device;
    const { pending } = this.readiness;
    const isReady = (operator: Operator) =>
      operator.kind === 'receive' || !pending.has(operator) || isUnpacking(operator);
    while (this.first < operators.length && isReady(operators[this.first]!)) this.first++;
    const operator = operators[this.first];
    const makers = (one: Operator) => this.readiness.makersOf(one);
    const wanted = new Set<Operator>(
      operator ? makers(operator).flatMap((maker) => (isUnpacking(maker) ? makers(maker) : [maker])) : pending,
    );
    for (const queue of this.receives.values()) {
      const last = queue.findLastIndex((receive) => wanted.has(receive));
      for (const receive of queue.splice(0, last + 1)) {
        this.readiness.receive(receive);
        this.groups.push(receive);
      }
    }
  }
}

export function orderAlone(device: DeviceOperators): Group[] {
  const order = new AloneOrder(device);
  order.run();
  return order.groups;
}
