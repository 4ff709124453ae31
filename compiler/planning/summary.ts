/** What a schedule comes to, in the figures by which plans are compared. */
import { type Cluster, linkBetween } from '../cluster/cluster.ts';
import { occupiedSeconds, transferJoules } from '../cluster/transfer.ts';
import type { Schedule } from './schedule.ts';
import { busiestOf } from './simulation/workload.ts';

export interface Summary {
  /** Of one inference. */
  readonly seconds: number;
  /** Inferences a second with several in flight: no device or link can do more. */
  readonly throughput: number;
  /** Of one inference, all devices and links; null where a device's power is not known. */
  readonly joules: number | null;
  /** That cross links. */
  readonly bytes: number;
  /** Of the device that needs most. */
  readonly peakBytes: number;
  /** Of the transfers' time, the share during which their receivers compute. */
  readonly hidden: number;
  /** What keeps one inference from being faster: a device or a link, and the share of the time it is busy. */
  readonly busiest: { readonly name: string; readonly share: number };
}

/** Seconds that each device computes. */
const computing = ({ devices }: Schedule): Map<string, number> =>
  new Map(
    devices.map(({ device, steps, times }) => {
      const seconds = times.map(({ start, end }, i) => (steps[i]!.kind === 'segment' ? end - start : 0));
      return [device, seconds.reduce((sum, one) => sum + one, 0)];
    }),
  );

/** Seconds of one inference, by device in the cluster's order. */
export interface Activity {
  readonly seconds: number;
  readonly busy: readonly number[];
  readonly sending: readonly number[];
  readonly receiving: readonly number[];
}

/** Of the devices: they idle for the whole inference; what they compute, send and receive comes on top. null: a power is unknown. */
export function deviceJoules({ devices }: Cluster, { seconds, busy, sending, receiving }: Activity): number | null {
  let joules = 0;
  for (const [i, { power }] of devices.entries()) {
    if (!power) return null;
    const { idle, compute, send, receive } = power;
    joules +=
      idle * seconds + (compute - idle) * busy[i]! + (send - idle) * sending[i]! + (receive - idle) * receiving[i]!;
  }
  return joules;
}

function joulesOf(cluster: Cluster, schedule: Schedule): number | null {
  const computed = computing(schedule);
  const index = (device: string) => cluster.devices.findIndex(({ name }) => name === device);
  const sending = cluster.devices.map(() => 0);
  const receiving = cluster.devices.map(() => 0);
  let links = 0;
  for (const { from, to, bytes } of schedule.channels) {
    const link = linkBetween(cluster, from, to)!;
    const seconds = occupiedSeconds(link, bytes);
    sending[index(from)]! += seconds;
    receiving[index(to)]! += seconds;
    links += transferJoules(link, bytes);
  }
  const busy = cluster.devices.map(({ name }) => computed.get(name) ?? 0);
  const devices = deviceJoules(cluster, { seconds: schedule.makespan, busy, sending, receiving });
  return devices === null ? null : devices + links;
}

export function summarise(cluster: Cluster, schedule: Schedule): Summary {
  const { makespan, channels, devices, workload } = schedule;
  const busiest = busiestOf(workload);
  const times = channels.map(({ transfer, hidden }) => ({ seconds: transfer.end - transfer.start, hidden }));
  const total = times.reduce((sum, { seconds }) => sum + seconds, 0);
  return {
    seconds: makespan,
    throughput: busiest.seconds > 0 ? 1 / busiest.seconds : Number.POSITIVE_INFINITY,
    joules: joulesOf(cluster, schedule),
    bytes: channels.reduce((sum, { bytes }) => sum + bytes, 0),
    peakBytes: Math.max(0, ...devices.map(({ peakBytes }) => peakBytes)),
    hidden: total > 0 ? times.reduce((sum, { seconds, hidden }) => sum + seconds * hidden, 0) / total : 1,
    busiest: { name: busiest.name, share: makespan > 0 ? busiest.seconds / makespan : 0 },
  };
}
