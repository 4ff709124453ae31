/** Dry run of a schedule: predicted times, what each transfer overlaps, memory; finds deadlocks before any device does. */
import { bytesPerElement } from '../../runtime/dtype.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { formatBytes } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import type { Operator, Program } from '../ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../ir/program.ts';
import { count } from '../ir/region.ts';
import type { Costs } from './costs/costs.ts';
import { valueBytes } from './costs/roofline.ts';
import type { PlanObjective } from './plan.ts';
import type { Channel, DeviceSchedule, Interval, Schedule, Step } from './schedule.ts';
import { simulateOne, type TransferTimes } from './simulation/in-flight.ts';
import { busiestOf, workloadOf } from './simulation/workload.ts';

/** What hides a transfer: work of the receiver between handing over and arrival. @param at its step on the receiver */
function channelOf(
  operator: Operator & { kind: 'receive' },
  bytes: number,
  { issued, arrived }: TransferTimes,
  { steps, times }: DeviceSchedule,
  at: number,
): Channel {
  const waited = Math.max(0, times[at]!.end - Math.max(times[at]!.start, issued));
  const hiddenBy: number[] = [];
  // What begins after the receive does so after the arrival.
  for (let i = at - 1; i >= 0 && times[i]!.end > issued; i--) {
    const step = steps[i]!;
    if (step.kind === 'segment' && times[i]!.start < arrived) hiddenBy.unshift(step.index);
  }
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

/** Bytes of values alive at the worst moment: from where they are made to where they are last read; outputs of the model to the end. */
function activationBytes(program: Program<'linked'>, device: string, steps: readonly Step[]): number {
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
  if (device === program.placement!.outputs) {
    for (const name of program.outputs) last.set(valueKey(wholeValue(tensorOf(program, name))), operators.length);
  }
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

/**
 * Adds predicted times to the steps that are best in the objective.
 * @param orders one or more ways to order the steps
 * @throws device-memory
 */
export function simulateSteps(
  program: Program<'linked'>,
  cluster: Cluster,
  orders: readonly ReadonlyMap<string, readonly Step[]>[],
  costs: Costs,
  objective: PlanObjective = 'latency',
): Schedule {
  const runs = orders.map((steps) => {
    const workload = workloadOf(program, cluster, steps, costs);
    const run = simulateOne(workload);
    const interval = objective === 'throughput' ? busiestOf(workload).seconds : 0;
    return { steps, workload, run, interval };
  });
  const { steps, workload, run } = runs.reduce((a, b) =>
    b.interval < a.interval || (b.interval === a.interval && b.run.end < a.run.end) ? b : a,
  );
  const devices = [...steps].map(([device, own], i): DeviceSchedule => {
    const weights = weightBytes(program, own);
    const times = run.steps[i]!.map(({ begin, end }): Interval => ({ start: begin, end }));
    const peakBytes = weights + activationBytes(program, device, own);
    return { device, steps: own, times, weightBytes: weights, peakBytes };
  });
  const receives = program.operators.filter((operator) => operator.kind === 'receive');
  const named = new Map(devices.map((device) => [device.device, device]));
  const places = new Map(
    devices.flatMap((device) =>
      device.steps.flatMap((step, i) => (step.kind === 'receive' ? [[step.channel, i] as const] : [])),
    ),
  );
  const channels = receives.map((operator, i) =>
    channelOf(
      operator,
      workload.channels[i]!.bytes,
      run.transfers[i]!,
      named.get(operator.device!)!,
      places.get(operator.channel)!,
    ),
  );
  for (const device of devices) checkMemory(cluster, device);
  return { program, devices, channels, makespan: run.end, workload };
}
