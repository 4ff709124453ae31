/** Discrete events: tasks that depend on each other and share resources. Everything that predicts time uses this one simulator. */

/** What a resource does with the tasks that are ready: the lowest priority first, or in the order they became ready. */
export type Discipline = 'priority' | 'fifo';

export interface Timeline {
  /** Seconds from the start, one a task. */
  readonly start: Float64Array;
  /** When the resource is free again. */
  readonly end: Float64Array;
  /** The end of the last task, its delay included. */
  readonly makespan: number;
}

/** A binary heap of integers, smallest key first; of equal keys the smallest integer. */
class Heap {
  private readonly items: number[] = [];
  private readonly keys: number[] = [];

  get size(): number {
    return this.items.length;
  }

  /** Key of the first. */
  get key(): number {
    return this.keys[0]!;
  }

  push(item: number, key: number): void {
    let at = this.items.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(item, key, parent)) break;
      this.put(at, this.items[parent]!, this.keys[parent]!);
      at = parent;
    }
    this.put(at, item, key);
  }

  pop(): number {
    const first = this.items[0]!;
    const item = this.items.pop()!;
    const key = this.keys.pop()!;
    const { length } = this.items;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      if (child + 1 < length && this.isBefore(this.items[child + 1]!, this.keys[child + 1]!, child)) child++;
      if (this.isBefore(item, key, child)) break;
      this.put(at, this.items[child]!, this.keys[child]!);
      at = child;
    }
    this.put(at, item, key);
    return first;
  }

  private isBefore(item: number, key: number, other: number): boolean {
    const its = this.keys[other]!;
    return key < its || (key === its && item < this.items[other]!);
  }

  private put(at: number, item: number, key: number): void {
    this.items[at] = item;
    this.keys[at] = key;
  }
}

/** Tasks are numbered in the order they are added. */
export class TaskGraph {
  // Elements beyond what there is are left from before a `clear`: whoever simulates thousands of graphs makes no garbage.
  private readonly resources: number[] = [];
  private readonly seconds: number[] = [];
  private readonly delays: number[] = [];
  private readonly priorities: number[] = [];
  /** Dependences as linked lists: those of a task start at `first`. */
  private readonly first: number[] = [];
  private readonly next: number[] = [];
  private readonly dependent: number[] = [];
  private readonly waits: number[] = [];
  private tasks = 0;
  private dependences = 0;

  /**
   * @param disciplines one a resource
   * @param leads one a resource: seconds of work that it may be ahead of time with after it had nothing to do (a link's burst);
   * none where left out
   */
  constructor(
    private readonly disciplines: readonly Discipline[],
    private readonly leads: readonly number[] = [],
  ) {}

  get size(): number {
    return this.tasks;
  }

  /** Forgets all tasks. */
  clear(): void {
    this.tasks = 0;
    this.dependences = 0;
  }

  /** @param delay seconds after the end of the task until what depends on it may start (a link's latency) */
  add(resource: number, seconds: number, priority = 0, delay = 0): number {
    const task = this.tasks++;
    this.resources[task] = resource;
    this.seconds[task] = seconds;
    this.priorities[task] = priority;
    this.delays[task] = delay;
    this.first[task] = -1;
    this.waits[task] = 0;
    return task;
  }

  /** `task` starts after `before` and its delay. */
  depend(task: number, before: number): void {
    const dependence = this.dependences++;
    this.next[dependence] = this.first[before]!;
    this.dependent[dependence] = task;
    this.first[before] = dependence;
    this.waits[task]!++;
  }

  /** Adds to the time a task takes. */
  lengthen(task: number, seconds: number): void {
    this.seconds[task]! += seconds;
  }

  secondsOf(task: number): number {
    return this.seconds[task]!;
  }

  /** @throws Error if tasks wait for each other: a bug of the caller's */
  run(): Timeline {
    const { size } = this;
    const start = new Float64Array(size).fill(Number.NaN);
    const end = new Float64Array(size).fill(Number.NaN);
    const waits = new Int32Array(size);
    for (let task = 0; task < size; task++) waits[task] = this.waits[task]!;
    const ready = this.disciplines.map(() => new Heap());
    const busy = this.disciplines.map(() => false);
    /** When the work so far would be done without a lead. */
    const done = new Float64Array(this.disciplines.length).fill(Number.NEGATIVE_INFINITY);
    /** Even: the end of task n/2; odd: what depends on it may start. */
    const events = new Heap();
    let now = 0;
    let left = size;
    /** Resources that have something to do, or are free again; some twice. */
    const touched: number[] = [];
    const free = (task: number) => {
      const resource = this.resources[task]!;
      ready[resource]!.push(task, this.disciplines[resource] === 'fifo' ? now : this.priorities[task]!);
      touched.push(resource);
    };
    const release = (task: number) => {
      for (let edge = this.first[task]!; edge >= 0; edge = this.next[edge]!) {
        const dependent = this.dependent[edge]!;
        if (--waits[dependent]! === 0) free(dependent);
      }
    };
    for (let task = 0; task < size; task++) if (waits[task] === 0) free(task);
    for (;;) {
      for (const resource of touched) {
        if (busy[resource] || ready[resource]!.size === 0) continue;
        const task = ready[resource]!.pop();
        busy[resource] = true;
        start[task] = now;
        done[resource] = Math.max(done[resource]!, now - (this.leads[resource] ?? 0)) + this.seconds[task]!;
        end[task] = Math.max(now, done[resource]!);
        events.push(2 * task, end[task]!);
        if (this.delays[task]! > 0) events.push(2 * task + 1, end[task]! + this.delays[task]!);
      }
      touched.length = 0;
      if (events.size === 0) break;
      now = events.key;
      // Everything that happens now happens before anything starts, so that priorities see all that is ready.
      while (events.size > 0 && events.key === now) {
        const event = events.pop();
        const task = event >> 1;
        if ((event & 1) === 0) {
          left--;
          busy[this.resources[task]!] = false;
          touched.push(this.resources[task]!);
          if (!(this.delays[task]! > 0)) release(task);
        } else release(task);
      }
    }
    if (left > 0) throw new Error(`${left} of ${size} tasks wait for each other`);
    return { start, end, makespan: now };
  }
}
