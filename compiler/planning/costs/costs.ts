/** What operators and session borders cost on each device of a cluster; planner, scheduler and simulator ask nobody else. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Assemble, Compute, Program } from '../../ir/program.ts';
import { borderSeconds, Roofline } from './roofline.ts';

export interface Costs {
  /** Seconds that a device needs for a tile or an assemble operator inside a session. */
  seconds(device: string, program: Program, operator: Compute | Assemble): number;
  /** Seconds that a border between two sessions costs a device, if `bytes` cross it. */
  border(device: string, bytes: number): number;
}

/** The costs of an imported program's operators, and of tiles of them, on the devices of a cluster. */
export function costsOf(imported: Program<'imported'>, cluster: Cluster): Costs {
  const roofline = new Roofline(imported);
  const speeds = new Map(cluster.devices.map(({ name, speed }) => [name, speed]));
  return {
    seconds: (device, program, operator) => roofline.seconds(program, operator) / speeds.get(device)!,
    border: (device, bytes) => borderSeconds(bytes) / speeds.get(device)!,
  };
}
