/** Reads the profiles that a cluster's devices name. */
import { loadProfile } from '../profile/load.ts';
import type { Cluster } from './cluster.ts';

/** Costs can then be told without waiting for files. @throws profile, layer-table */
export async function withProfiles(cluster: Cluster): Promise<Cluster> {
  const devices = cluster.devices.map(async (device) =>
    device.profile === undefined || device.measured
      ? device
      : { ...device, measured: await loadProfile(device.profile) },
  );
  return { ...cluster, devices: await Promise.all(devices) };
}
