/** What benches of two equal devices share that have one core each and a shaped link between them. */
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import type { DeviceTrace } from '../../runtime/index.ts';
import type { MeasuredProcess } from './measured-process.ts';
import { aloneOf, type Pair, type PairOptions, pairOf } from './pair.ts';
import { linkText, measuredLink, writtenLink } from './testbed/measured-link.ts';
import { measuredProfiles } from './testbed/measured-profiles.ts';
import type { HostSpec, LinkSpec, Testbed } from './testbed/testbed.ts';

export const [LEFT, RIGHT] = ['left', 'right'] as const;

export const hosts: readonly HostSpec[] = [
  { name: LEFT, cores: [0] },
  { name: RIGHT, cores: [1] },
];

export const linkOf = (megabits: number): LinkSpec => ({ between: [LEFT, RIGHT], bandwidth: (megabits * 1e6) / 8 });

/** Of a link, as cluster files write them. */
export type Rates = ReturnType<typeof writtenLink>;

/** The link as measured, for cluster files and for people. */
export async function measuredRates(testbed: Testbed): Promise<{ readonly rates: Rates; readonly text: string }> {
  const link = await measuredLink(testbed, [LEFT, RIGHT]);
  return { rates: writtenLink(link), text: linkText(link) };
}

/** The two as measured on a model. @param budget the most seconds that this may take */
export async function measuredCluster(
  testbed: Testbed,
  model: string,
  rates: Rates,
  folder: string,
  budget: number,
): Promise<Cluster> {
  const profiles = await measuredProfiles(testbed, [LEFT, RIGHT], model, folder, budget);
  const cluster = parseCluster({
    devices: { [LEFT]: { threads: 1 }, [RIGHT]: { threads: 1 } },
    links: [{ between: [LEFT, RIGHT], ...rates }],
  });
  const devices = cluster.devices.map((device, i) => ({
    ...device,
    measured: { kind: 'profile', file: 'as measured', profile: profiles[i]! } as const,
  }));
  return { ...cluster, devices };
}

/** Of builds for one device. */
export const single: Cluster = parseCluster({ devices: { [LEFT]: { threads: 1 } } });

/** The device of a build for one, ready. */
export const alone = (testbed: Testbed, build: string, inFlight: number, host?: string): Promise<MeasuredProcess> =>
  aloneOf(testbed, build, LEFT, inFlight, host);

/** Both devices of a build, ready. */
export const pair = (testbed: Testbed, build: string, options?: PairOptions): Promise<Pair> =>
  pairOf(testbed, build, [LEFT, RIGHT], options);

/** What the two did, as they tell it themselves: recorded apart from what is timed. @param work has the left one infer */
export async function traced(
  testbed: Testbed,
  build: string,
  inFlight: number,
  work: (left: MeasuredProcess) => Promise<unknown>,
): Promise<DeviceTrace[]> {
  const [left, right] = await pair(testbed, build, { inFlight, trace: true });
  await work(left);
  const traces = [await left.trace(), await right.trace()];
  await Promise.all([left.end(), right.end()]);
  return traces;
}
