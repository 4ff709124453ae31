/** Inferences one after the other, several in flight, as generated programs do them: when each step and transfer happens. */
import { TaskGraph, type Timeline } from './events.ts';
import type { WorkChannel, Workload, WorkStep } from './workload.ts';

export interface InFlight {
  /** How many are done. */
  readonly inferences: number;
  /** How many at once: another starts when all devices have finished the one that began this many before it. */
  readonly inFlight: number;
}

/** Seconds from the start of the simulation. */
export interface StepTimes {
  /** The device's program has come to it. */
  readonly begin: number;
  /** What it needs is there; later than `begin` for a receive that waits. */
  readonly ready: number;
  /** The device does it; later than `ready` where it is busy with another inference. */
  readonly start: number;
  readonly end: number;
}
export interface TransferTimes {
  /** Handed over. */
  readonly issued: number;
  /** The link carries it. */
  readonly start: number;
  readonly end: number;
  /** There, a latency later. */
  readonly arrived: number;
}

export interface InferenceTimes {
  readonly begin: number;
  /** Of the last step of all devices. */
  readonly end: number;
  /** By device, then step. */
  readonly steps: readonly (readonly StepTimes[])[];
  /** In the order of the workload's channels. */
  readonly transfers: readonly TransferTimes[];
}

/**
 * What a device that has become free does first: a program goes on to send what it has just made, then what has come meanwhile
 * is received; of segments the earliest inference's comes first.
 */
const URGENCY: Readonly<Record<WorkStep['kind'], number | null>> = { send: -2, receive: -1, segment: null };

/** Numbers of one inference's tasks. */
interface Tasks {
  /** By device, then step. */
  readonly steps: readonly (readonly number[])[];
  /** By channel: the step that hands it over, and the link's task. */
  readonly transfers: ReadonlyMap<number, { readonly send: number; readonly task: number }>;
}

class Simulation {
  private readonly graph: TaskGraph;
  private readonly channels: ReadonlyMap<number, WorkChannel>;
  private readonly queues: ReadonlyMap<string, number>;
  private readonly tasks: Tasks[] = [];

  constructor(
    private readonly workload: Workload,
    private readonly options: InFlight,
  ) {
    const { devices, channels } = workload;
    const leads = new Map(channels.map(({ link, lead }) => [link, lead]));
    const links = [...leads.keys()];
    this.graph = new TaskGraph(
      [...devices.map(() => 'priority' as const), ...links.map(() => 'fifo' as const)],
      [...devices.map(() => 0), ...leads.values()],
    );
    this.channels = new Map(channels.map((channel) => [channel.id, channel]));
    this.queues = new Map(links.map((link, i) => [link, devices.length + i]));
  }

  run(): InferenceTimes[] {
    const { inferences, inFlight } = this.options;
    for (let i = 0; i < inferences; i++) this.add(i, this.tasks[i - inFlight]);
    const timeline = this.graph.run();
    const times: InferenceTimes[] = [];
    for (const tasks of this.tasks) {
      times.push(this.timesOf(tasks, timeline, times[times.length - inFlight]?.end ?? 0));
    }
    return times;
  }

  /** One more inference; it starts when another is done everywhere. */
  private add(inference: number, before: Tasks | undefined): void {
    const { graph } = this;
    const transfers = new Map<number, { send: number; task: number }>();
    const steps = this.workload.devices.map(({ steps: own }, device) =>
      own.map(({ kind, id, seconds }): number => {
        const task = graph.add(device, seconds, URGENCY[kind] ?? inference);
        if (kind === 'send') transfers.set(id, { send: task, task: this.transfer(id, task) });
        return task;
      }),
    );
    const ended = (before?.steps ?? []).flatMap((own) => own.at(-1) ?? []);
    for (const [device, own] of steps.entries()) {
      for (const [i, task] of own.entries()) {
        for (const earlier of i > 0 ? [own[i - 1]!] : ended) graph.depend(task, earlier);
        const { kind, id } = this.workload.devices[device]!.steps[i]!;
        if (kind === 'receive') graph.depend(task, found(transfers, id).task);
      }
    }
    this.tasks.push({ steps, transfers });
  }

  private transfer(id: number, send: number): number {
    const { link, seconds, latency } = found(this.channels, id);
    const task = this.graph.add(this.queues.get(link)!, seconds, 0, latency);
    this.graph.depend(task, send);
    return task;
  }

  private timesOf({ steps, transfers }: Tasks, { start, end }: Timeline, begin: number): InferenceTimes {
    const { channels, devices } = this.workload;
    const carried = channels.map(({ id, latency }): TransferTimes => {
      const { send, task } = transfers.get(id)!;
      return { issued: end[send]!, start: start[task]!, end: end[task]!, arrived: end[task]! + latency };
    });
    const arrived = new Map(channels.map(({ id }, i) => [id, carried[i]!.arrived]));
    const times = steps.map((own, device) =>
      own.map((task, i): StepTimes => {
        const { kind, id } = devices[device]!.steps[i]!;
        const come = i > 0 ? end[own[i - 1]!]! : begin;
        const ready = kind === 'receive' ? Math.max(come, arrived.get(id)!) : come;
        return { begin: come, ready, start: start[task]!, end: end[task]! };
      }),
    );
    return {
      begin,
      end: Math.max(begin, ...times.map((own) => own.at(-1)?.end ?? begin)),
      steps: times,
      transfers: carried,
    };
  }
}

function found<T>(map: ReadonlyMap<number, T>, id: number): T {
  const value = map.get(id);
  if (value === undefined) throw new Error(`nobody sends on channel ${id}`);
  return value;
}

/** Simulates a workload. @throws Error where steps wait for each other, or for what nobody sends */
export const simulateInFlight = (workload: Workload, options: InFlight): InferenceTimes[] =>
  new Simulation(workload, options).run();

/** One inference alone. */
export const simulateOne = (workload: Workload): InferenceTimes =>
  simulateInFlight(workload, { inferences: 1, inFlight: 1 })[0]!;
