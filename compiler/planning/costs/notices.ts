/** What a user should know about the figures that plans are made with. */
import { onnxruntime } from '../../../runtime/modules.ts';
import type { Cluster, ClusterDevice } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import { cutsOf } from '../cuts.ts';
import { type Costs, costsOf } from './costs.ts';
import type { Source } from './device-costs.ts';

/** How many operators a device has from each source. */
function countSources(
  imported: Program<'imported'>,
  costs: Required<Costs>,
  device: string,
): ReadonlyMap<Source, number> {
  const { operators, constants } = cutsOf(imported);
  const counts = new Map<Source, number>();
  for (const operator of operators.values()) {
    if (constants.has(operator.origin)) continue;
    const source = costs.source(device, imported, operator);
    counts.set(source, (counts.get(source) ?? 0) + 1);
  }
  return counts;
}

function noticesOf({ name, measured, threads }: ClusterDevice, counts: ReadonlyMap<Source, number>): string[] {
  if (!measured) return [];
  const of = (source: Source) => counts.get(source) ?? 0;
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (measured.kind === 'table') {
    return of('free') > 0
      ? [`${name}: ${of('free')} of ${all} operators are not in ${measured.file} and cost nothing`]
      : [];
  }
  const { machine } = measured.profile;
  const others = threads !== undefined && threads !== machine.threads;
  const installed = onnxruntime().env.versions.node;
  return [
    ...(of('estimated') > 0
      ? [`${name}: ${of('estimated')} of ${all} operators are estimated: ${measured.file} has nothing like them`]
      : []),
    ...(installed !== machine.onnxruntime
      ? [`${measured.file} was measured with onnxruntime ${machine.onnxruntime}, this one is ${installed}`]
      : []),
    ...(others ? [`${name} has ${threads} threads, ${measured.file} was measured with ${machine.threads}`] : []),
  ];
}

/** One text at most. */
function bitsNotices({ devices }: Cluster): string[] {
  const stated = devices.flatMap(({ name, bits }) => (bits === undefined ? [] : [`${name} (${bits})`]));
  return stated.length > 0
    ? [`bits of ${stated.join(', ')} count for plan --pareto alone: what is compiled computes in the model's own types`]
    : [];
}

/**
 * One text a fact; nothing to say of devices that are described by their speed.
 * @param ownBits whether what is asked counts devices' own bits
 * @throws profile, layer-table
 */
export function costNotices(imported: Program<'imported'>, cluster: Cluster, ownBits = false): string[] {
  const bits = ownBits ? [] : bitsNotices(cluster);
  if (cluster.devices.every(({ measured }) => !measured)) return bits;
  const costs = costsOf(imported, cluster);
  const measured = cluster.devices.flatMap((device) =>
    device.measured ? noticesOf(device, countSources(imported, costs, device.name)) : [],
  );
  return [...bits, ...measured];
}
