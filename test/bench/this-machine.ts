/** This machine as two devices of one thread each, as measured: for benches that compare predictions, or need a balanced plan. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { measureLink } from '../../compiler/measure/link.ts';
import type { Profile } from '../../compiler/profile/profile.ts';
import { main } from '../support/cli.ts';

/** Of a link, as cluster files write them. */
export interface Rates {
  readonly bandwidth: string;
  readonly latency: string;
}

/** What loopback carries between two processes of this machine. */
export async function link(): Promise<Rates> {
  const port = 20_000 + (process.pid % 20_000);
  const endpoint = `tcp://127.0.0.1:${port}`;
  const server = spawn(process.execPath, ['--import', 'tsx', main, 'profile', '--serve', endpoint], {
    stdio: 'ignore',
  });
  const { roundTrip, to, from } = await measureLink(endpoint, 60);
  await once(server, 'exit');
  return { bandwidth: `${Math.min(to, from)} B/s`, latency: `${roundTrip / 2} s` };
}

/** left and right are this machine, twice. @param other of the right one, where it was measured on its own */
export function clusterOf(profile: Profile, rates: Rates, other = profile): Cluster {
  const cluster = parseCluster({
    devices: { left: { threads: 1 }, right: { threads: 1 } },
    links: [{ between: ['left', 'right'], ...rates }],
  });
  const devices = cluster.devices.map((device, i) => ({
    ...device,
    measured: { kind: 'profile', file: 'this machine', profile: [profile, other][i]! } as const,
  }));
  return { ...cluster, devices };
}
