/** Dry run of a schedule: predicted times, what each transfer overlaps, memory; finds deadlocks before any device does. */
import { bytesPerElement } from '../../runtime/dtype.ts';
import { type Cluster, linkBetween } from '../cluster/cluster.ts';
import { occupiedSeconds, queueOf } from '../cluster/transfer.ts';
import { formatBytes } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import type { Operator, Program } from '../ir/program.ts';
import { reads, tensorOf, valueKey, writes } from '../ir/program.ts';
import { count } from '../ir/region.ts';
import { type Costs, segmentSeconds } from './costs/costs.ts';
import { valueBytes } from './costs/roofline.ts';
import type { Channel, DeviceSchedule, Interval, Schedule, Step } from './schedule.ts';

interface Transfer {
  readonly issued: number;
  readonly arrived: number;
}

/** Runs the steps of all devices against each other. The queues of links are FIFOs. */
class DryRun {
  readonly times = new Map<string, Interval[]>();
  readonly transfers = new Map<number, Transfer>();
  private readonly linkFree = new Map<string, number>();

  constructor(
    private readonly program: Program<'linked'>,
    private readonly cluster: Cluster,
    private readonly steps: ReadonlyMap<string, readonly Step[]>,
    private readonly costs: Costs,
  ) {
    for (const device of steps.keys()) this.times.set(device, []);
  }

  run(): void {
    for (let device = this.earliest(); device !== undefined; device = this.earliest()) this.advance(device);
    for (const [device, steps] of this.steps) {
      const stuck = steps[this.times.get(device)!.length];
      if (stuck) throw new Error(`schedule deadlocks: ${device} waits at ${JSON.stringify(stuck)}`);
    }
  }

  /** Of the devices that have a step and do not wait, the one that is there first: who asks first for a link gets it first. */
  private earliest(): string | undefined {
    let found: string | undefined;
    let earliest = Number.POSITIVE_INFINITY;
    for (const [device, done] of this.times) {
      const step = this.steps.get(device)![done.length];
      const start = done.at(-1)?.end ?? 0;
      if (!step || start >= earliest || (step.kind === 'receive' && !this.transfers.has(step.channel))) continue;
      [found, earliest] = [device, start];
    }
    return found;
  }

  private advance(device: string): void {
    const done = this.times.get(device)!;
    const step = this.steps.get(device)![done.length]!;
    const start = done.at(-1)?.end ?? 0;
    if (step.kind === 'receive') {
      const here = Math.max(start, this.transfers.get(step.channel)!.arrived);
      done.push({ start, end: here + this.message(device, 'receive') });
    } else if (step.kind === 'send') {
      const end = start + this.message(device, 'send');
      this.transfers.set(step.channel, this.transfer(device, step.to, valueBytes(this.program, step.value), end));
      done.push({ start, end });
    } else {
      done.push({ start, end: start + segmentSeconds(this.costs, device, this.program, step) });
    }
  }

  private message(device: string, kind: 'send' | 'receive'): number {
    return this.costs.message?.(device, kind) ?? 0;
  }

  private transfer(from: string, to: string, bytes: number, issued: number): Transfer {
    const link = linkBetween(this.cluster, from, to)!;
    const queue = queueOf(link, from);
    const end = Math.max(issued, this.linkFree.get(queue) ?? 0) + occupiedSeconds(link, bytes);
    this.linkFree.set(queue, end);
    return { issued, arrived: end + link.latency };
  }
}

/** What hides a transfer: work of the receiver between handing over and arrival. */
function channelOf(
  operator: Operator & { kind: 'receive' },
  bytes: number,
  steps: readonly Step[],
  run: DryRun,
): Channel {
  const times = run.times.get(operator.device!)!;
  const { issued, arrived } = run.transfers.get(operator.channel)!;
  const at = steps.findIndex((step) => step.kind === 'receive' && step.channel === operator.channel);
  const waited = Math.max(0, times[at]!.end - Math.max(times[at]!.start, issued));
  const hiddenBy = steps.flatMap((step, i) => {
    const { start, end } = times[i]!;
    return step.kind === 'segment' && start < arrived && end > issued ? [step.index] : [];
  });
  return {
    id: operator.channel,
    from: operator.from,
    to: operator.device!,
    value: operator.value,
    origin: operator.origin,
    bytes,
    transfer: { start: issued, end: arrived },
    hidden: arrived > issued ? Math.max(0, 1 - waited / (arrived - issued)) : 1,
    hiddenBy,
  };
}

/** Bytes of the distinct weight slices that steps read, or hand out as outputs of the model. */
function weightBytes(program: Program, steps: readonly Step[]): number {
  const slices = new Map<string, number>();
  for (const step of steps) {
    if (step.kind !== 'segment') continue;
    for (const value of [...step.operators.flatMap(reads), ...step.outputs]) {
      const tensor = tensorOf(program, value.tensor);
      if (tensor.role !== 'weight' || tensor.source.kind === 'strings') continue;
      slices.set(valueKey(value), (value.region ? count(value.region) : 0) * bytesPerElement(tensor.dtype));
    }
  }
  return [...slices.values()].reduce((sum, bytes) => sum + bytes, 0);
}

/** Bytes of values alive at the worst moment: from where they are made to where they are last read. */
function activationBytes(program: Program<'linked'>, steps: readonly Step[]): number {
  const operators = steps.flatMap((step): { reads: string[]; writes: string[] }[] => {
    if (step.kind === 'segment') {
      return step.operators.map((operator) => ({
        reads: reads(operator).map(valueKey),
        writes: writes(operator).map(valueKey),
      }));
    }
    const key = valueKey(step.value);
    return step.kind === 'send' ? [{ reads: [key], writes: [] }] : [{ reads: [], writes: [key] }];
  });
  const bytes = new Map<string, number>();
  for (const step of steps) {
    const values = step.kind === 'segment' ? step.operators.flatMap((o) => [...reads(o), ...writes(o)]) : [step.value];
    for (const value of values) {
      const { role } = tensorOf(program, value.tensor);
      bytes.set(valueKey(value), role === 'weight' ? 0 : valueBytes(program, value));
    }
  }
  const last = new Map<string, number>();
  for (const [i, operator] of operators.entries())
    for (const key of [...operator.reads, ...operator.writes]) last.set(key, i);
  const alive = new Set<string>();
  let now = 0;
  let peak = 0;
  for (const [i, operator] of operators.entries()) {
    for (const key of [...operator.reads, ...operator.writes]) {
      if (!alive.has(key)) now += bytes.get(key)!;
      alive.add(key);
    }
    peak = Math.max(peak, now);
    for (const key of new Set([...operator.reads, ...operator.writes])) {
      if (last.get(key) !== i) continue;
      alive.delete(key);
      now -= bytes.get(key)!;
    }
  }
  return peak;
}

/** @throws device-memory where a device's limit is below what its steps need */
function checkMemory(cluster: Cluster, device: DeviceSchedule): void {
  const limit = cluster.devices.find(({ name }) => name === device.device)?.memory;
  if (limit === undefined || device.peakBytes <= limit) return;
  throw new CompileError(
    'device-memory',
    `${device.device} needs ${formatBytes(device.peakBytes)} for weights and activations, ${formatBytes(limit)} allowed`,
    {
      at: ['cluster, memory', `${formatBytes(device.weightBytes)} of it are weights`],
      hint: `give ${device.device} more memory, or a plan that gives it less`,
    },
  );
}

/** Adds predicted times to steps. @throws device-memory */
export function simulateSteps(
  program: Program<'linked'>,
  cluster: Cluster,
  steps: ReadonlyMap<string, readonly Step[]>,
  costs: Costs,
): Schedule {
  const run = new DryRun(program, cluster, steps, costs);
  run.run();
  const channels = program.operators.flatMap((operator) =>
    operator.kind === 'receive'
      ? [channelOf(operator, valueBytes(program, operator.value), steps.get(operator.device!)!, run)]
      : [],
  );
  const devices = [...steps].map(([device, own]): DeviceSchedule => {
    const weights = weightBytes(program, own);
    const times = run.times.get(device)!;
    return { device, steps: own, times, weightBytes: weights, peakBytes: weights + activationBytes(program, own) };
  });
  for (const device of devices) checkMemory(cluster, device);
  const makespan = Math.max(0, ...devices.map(({ times }) => times.at(-1)?.end ?? 0));
  return { program, devices, channels, makespan };
}
