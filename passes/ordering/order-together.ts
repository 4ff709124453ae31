/**
 * The order of all devices' operators by list scheduling: each device goes on with what it has when something arrives, unless
 * that lets it send sooner. Times are estimates of operators alone; the simulator judges the order.
 */
import type { Receive, Send } from '../../compiler/ir/program.ts';
import { type DeviceOperators, type Group, Readiness, type Work } from './readiness.ts';

/** What an order needs to know of a link. */
export interface OrderLink {
  /** Name of the queue it waits in: {@link queueOf}. */
  readonly queue: string;
  /** Seconds. */
  readonly latency: number;
  /** Seconds by which it may be ahead after it carried nothing. */
  readonly lead: number;
}

interface Arrival {
  readonly receive: Receive;
  readonly at: number;
}

/** Work that has begun, and the sends that it is for. */
interface Task {
  readonly done: Work[];
  readonly left: Work[];
  readonly sends: readonly Send[];
}

class TimedDevice {
  readonly groups: Group[] = [];
  readonly readiness: Readiness;
  /** Known and not yet taken. */
  private arrivals: readonly Arrival[] = [];
  /** Taken while a session runs, which does not read them. */
  private readonly taken: Receive[] = [];
  private clock = 0;
  private task: Task | undefined;
  /** Too little work for a session of its own as long as something may still arrive. */
  private isLazy = false;

  constructor(
    readonly name: string,
    device: DeviceOperators,
    /** Seconds from now for which the link to a peer has enough to do. */
    private readonly queued: (from: string, to: string, now: number) => number,
  ) {
    this.readiness = new Readiness(device);
  }

  get isDone(): boolean {
    return this.readiness.pending.size === 0 && !this.task;
  }

  /** When it can go on; Infinity: not before something else arrives. */
  get wake(): number {
    const { freeSends, freeWork } = this.readiness;
    if (this.isDone) return Number.POSITIVE_INFINITY;
    if (this.task || freeSends.size > 0 || (freeWork.size > 0 && !this.isLazy)) return this.clock;
    const next = Math.min(...this.arrivals.map(({ at }) => at));
    return Math.max(this.clock, next);
  }

  arrive(arrival: Arrival): void {
    this.arrivals = [...this.arrivals, arrival];
  }

  /** Nothing else will arrive. */
  hurry(): void {
    this.isLazy = false;
    this.begin([...this.readiness.freeWork], []);
  }

  /** Does one thing; what it sends leaves at the time that comes with it. */
  step(): { readonly sends: readonly Send[]; readonly at: number } {
    this.clock = this.wake;
    const hasNews = this.take();
    if (this.task && hasNews && this.isWorthBreaking(this.task)) this.close(this.task);
    if (this.task) return this.goOn(this.task);
    this.emit();
    const { freeSends, freeWork } = this.readiness;
    if (freeSends.size > 0) {
      const sends = this.readiness.cheapest((peer) => this.queued(this.name, peer, this.clock));
      this.begin(this.readiness.needed(sends), sends);
    } else if (freeWork.size > 0) {
      const work = [...freeWork];
      this.isLazy = this.readiness.secondsOf(work) < this.readiness.borderAfter(work);
      if (!this.isLazy) this.begin(work, []);
    }
    return { sends: [], at: this.clock };
  }

  /** What has arrived by now; whether anything has. */
  private take(): boolean {
    const here = this.arrivals.filter(({ at }) => at <= this.clock);
    if (here.length === 0) return false;
    this.arrivals = this.arrivals.filter(({ at }) => at > this.clock);
    for (const { receive } of here) {
      this.readiness.receive(receive);
      this.taken.push(receive);
    }
    this.isLazy = false;
    return true;
  }

  private emit(): void {
    this.groups.push(...this.taken.splice(0));
  }

  private begin(work: readonly Work[], sends: readonly Send[]): void {
    this.task = { done: [], left: this.readiness.inOrder(work), sends };
  }

  /** Whether what has arrived lets something leave so much sooner that two sessions instead of one are worth it. */
  private isWorthBreaking({ done, left, sends }: Task): boolean {
    const others = [...this.readiness.freeSends].filter((send) => !sends.includes(send));
    if (others.length === 0) return false;
    const soonest = Math.min(...others.map((send) => this.readiness.secondsOf(this.readiness.needed([send]))));
    return soonest + this.readiness.borderAfter(done) < this.readiness.secondsOf(left);
  }

  private goOn(task: Task): { sends: readonly Send[]; at: number } {
    const next = task.left.shift();
    if (next) {
      this.readiness.work(next);
      task.done.push(next);
      this.clock += this.readiness.secondsOf([next]);
      if (task.left.length > 0) return { sends: [], at: this.clock };
    }
    this.close(task);
    for (const send of task.sends) {
      this.readiness.send(send);
      this.groups.push(send);
    }
    this.emit();
    return { sends: task.sends, at: this.clock };
  }

  private close({ done }: Task): void {
    this.task = undefined;
    if (done.length === 0) return;
    this.groups.push(done);
    this.clock += this.readiness.borderAfter(done);
  }
}

/** Groups of every device, by name. @param linkOf from one device to another */
export function orderTogether(
  devices: ReadonlyMap<string, DeviceOperators>,
  linkOf: (from: string, to: string) => OrderLink,
): Map<string, readonly Group[]> {
  const free = new Map<string, number>();
  const freeAt = (from: string, to: string) => free.get(linkOf(from, to).queue) ?? Number.NEGATIVE_INFINITY;
  const queued = (from: string, to: string, now: number) => Math.max(0, freeAt(from, to) - now);
  const timed = [...devices].map(([name, device]) => new TimedDevice(name, device, queued));
  const receives = new Map(
    [...devices.values()].flatMap(({ operators }) =>
      operators.flatMap((operator) => (operator.kind === 'receive' ? [[operator.channel, operator] as const] : [])),
    ),
  );
  const named = new Map(timed.map((device) => [device.name, device]));
  while (timed.some(({ isDone }) => !isDone)) {
    const next = timed.reduce((a, b) => (b.wake < a.wake ? b : a));
    if (next.wake === Number.POSITIVE_INFINITY) {
      const waiting = timed.filter(({ readiness }) => readiness.freeWork.size > 0);
      if (waiting.length === 0) throw new Error('devices wait for each other');
      for (const device of waiting) device.hurry();
      continue;
    }
    const { sends, at } = next.step();
    for (const send of sends) {
      const { queue, latency, lead } = linkOf(next.name, send.to);
      const end = Math.max(at - lead, freeAt(next.name, send.to)) + devices.get(next.name)!.costs.transfer(send);
      free.set(queue, end);
      named.get(send.to)!.arrive({ receive: receives.get(send.channel)!, at: Math.max(at, end) + latency });
    }
  }
  return new Map(timed.map(({ name, groups }) => [name, groups]));
}
