/** What operators and session borders cost on each device of a cluster; planner, scheduler and simulator ask nobody else. */
import type { Cluster, ClusterDevice } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import type { Step } from '../schedule.ts';
import { type DeviceCosts, type Source, sumsOfSteps, type Work } from './device-costs.ts';
import { EstimatedDevice } from './estimated.ts';
import { ProfiledDevice } from './profiled.ts';
import { Roofline } from './roofline.ts';
import { TabledDevice } from './tabled.ts';

/** {@link DeviceCosts} of every device of a cluster, by name. Whoever has only figures of operators leaves the rest out. */
export interface Costs {
  /** Seconds that a device needs for a tile or an assemble operator inside a session. */
  seconds(device: string, program: Program, operator: Work): number;
  /** Seconds that a border between two sessions costs a device, if `bytes` cross it. */
  border(device: string, bytes: number): number;
  /** Seconds to join `bytes` of pieces, or to cut them out of more, inside a session; 0 if left out. */
  assemble?(device: string, bytes: number): number;
  /** Seconds of each of a device's steps. See {@link stepSeconds}. */
  steps?(device: string, program: Program, steps: readonly Step[]): number[];
  /** Seconds that a message keeps a device's program, beside the link's time, before there are steps; 0 if left out. */
  message?(device: string, kind: 'send' | 'receive'): number;
  /** Joules of an operator, beside what the device draws while it waits; undefined where nobody measured them. */
  joules?(device: string, program: Program, operator: Work): number | undefined;
  source?(device: string, program: Program, operator: Work): Source;
}

/** Seconds of each of a device's steps, in their order: what a session or a message costs depends on what was done before it. */
export function stepSeconds(costs: Costs, device: string, program: Program, steps: readonly Step[]): number[] {
  if (costs.steps) return costs.steps(device, program, steps);
  const ofDevice = {
    seconds: (of: Program, operator: Work) => costs.seconds(device, of, operator),
    border: (bytes: number) => costs.border(device, bytes),
  };
  return sumsOfSteps(ofDevice, program, steps);
}

function costsOfDevice(imported: Program<'imported'>, roofline: Roofline, device: ClusterDevice): DeviceCosts {
  const { name, speed, measured } = device;
  switch (measured?.kind) {
    case 'profile':
      return new ProfiledDevice(name, imported, measured);
    case 'table':
      return new TabledDevice(imported, measured);
    case undefined:
      if (device.profile !== undefined) throw new Error(`the profile of ${name} was not read: see withProfiles`);
      return new EstimatedDevice(roofline, speed);
    default:
      return measured satisfies never;
  }
}

const known = new WeakMap<Program<'imported'>, WeakMap<Cluster, Required<Costs>>>();

/**
 * The costs of an imported program's operators, and of tiles of them, on the devices of a cluster. Computed once for both.
 * @throws profile, layer-table where a device's file knows none of the model's operators
 */
export function costsOf(imported: Program<'imported'>, cluster: Cluster): Required<Costs> {
  const clusters = known.get(imported) ?? new WeakMap<Cluster, Required<Costs>>();
  known.set(imported, clusters);
  const costs = clusters.get(cluster) ?? makeCosts(imported, cluster);
  clusters.set(cluster, costs);
  return costs;
}

function makeCosts(imported: Program<'imported'>, cluster: Cluster): Required<Costs> {
  const roofline = new Roofline(imported);
  const devices = new Map(cluster.devices.map((device) => [device.name, costsOfDevice(imported, roofline, device)]));
  const of = (name: string): DeviceCosts => {
    const found = devices.get(name);
    if (!found) throw new Error(`no device ${name}`);
    return found;
  };
  return {
    seconds: (device, program, operator) => of(device).seconds(program, operator),
    border: (device, bytes) => of(device).border(bytes),
    assemble: (device, bytes) => of(device).assemble(bytes),
    steps: (device, program, steps) => of(device).steps(program, steps),
    message: (device, kind) => of(device).message(kind),
    joules: (device, program, operator) => of(device).joules(program, operator),
    source: (device, program, operator) => of(device).source(program, operator),
  };
}
