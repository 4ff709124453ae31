/** What benches of two equal devices share that have one core each and a shaped link between them. */
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import type { DeviceTrace } from '../../runtime/index.ts';
import { feederArguments } from './feeder.ts';
import { MeasuredProcess } from './measured-process.ts';
import { measuredLink } from './testbed/measured-link.ts';
import type { HostSpec, LinkSpec, Testbed } from './testbed/testbed.ts';
import type { Rates } from './this-machine.ts';

export const [LEFT, RIGHT] = ['left', 'right'] as const;
const PORT = 7000;
/** Seconds; a device that another one waits for may have to load half a gigabyte. */
const PATIENCE = 120;

export const hosts: readonly HostSpec[] = [
  { name: LEFT, cores: [0] },
  { name: RIGHT, cores: [1] },
];

export const linkOf = (megabits: number): LinkSpec => ({ between: [LEFT, RIGHT], bandwidth: (megabits * 1e6) / 8 });

/** The link as measured, for cluster files and for people. */
export async function measuredRates(testbed: Testbed): Promise<{ readonly rates: Rates; readonly text: string }> {
  const { bandwidth, latency } = await measuredLink(testbed, [LEFT, RIGHT]);
  const text = `${((bandwidth * 8) / 1e6).toFixed(0)} Mbit/s and ${(latency * 1e3).toFixed(2)} ms`;
  return { rates: { bandwidth: `${bandwidth} B/s`, latency: `${latency} s` }, text };
}

/** Of builds for one device. */
export const single: Cluster = parseCluster({ devices: { [LEFT]: { threads: 1 } } });

/** The device of a build for one, ready. @param host another one than its name says */
export function alone(
  testbed: Testbed,
  build: string,
  inFlight: number,
  host: string = LEFT,
): Promise<MeasuredProcess> {
  const args = feederArguments({ build, device: LEFT, peers: {}, timeout: PATIENCE, inFlight });
  return MeasuredProcess.of(testbed.spawn(host, process.execPath, args));
}

type Pair = readonly [left: MeasuredProcess, right: MeasuredProcess];

/** Both devices of a build, ready. */
export async function pair(testbed: Testbed, build: string, inFlight: number, trace = false): Promise<Pair> {
  const common = { build, timeout: PATIENCE, connect: PATIENCE, inFlight, trace };
  const listen = await testbed.listen(RIGHT, PORT);
  const endpoint = await testbed.endpoint(RIGHT, PORT, LEFT);
  const right = feederArguments({ ...common, device: RIGHT, peers: {}, listen });
  const left = feederArguments({ ...common, device: LEFT, peers: { [RIGHT]: endpoint } });
  return Promise.all([
    MeasuredProcess.of(testbed.spawn(LEFT, process.execPath, left)),
    MeasuredProcess.of(testbed.spawn(RIGHT, process.execPath, right)),
  ]);
}

/** What the two did, as they tell it themselves: recorded apart from what is timed. @param work has the left one infer */
export async function traced(
  testbed: Testbed,
  build: string,
  inFlight: number,
  work: (left: MeasuredProcess) => Promise<unknown>,
): Promise<DeviceTrace[]> {
  const [left, right] = await pair(testbed, build, inFlight, true);
  await work(left);
  const traces = [await left.trace(), await right.trace()];
  await Promise.all([left.end(), right.end()]);
  return traces;
}
