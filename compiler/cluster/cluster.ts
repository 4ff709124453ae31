/** The machines: devices, the links between them, who holds the inputs and who wants the outputs. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { CompileError } from '../error.ts';
import { describeIssues } from '../issues.ts';
import type { DeviceProfile } from '../profile/load.ts';
import { clusterFile } from './schema.ts';

/** Watts of the whole device in each state. While it does several things at once, each adds what it has above idle. */
export interface Power {
  readonly idle: number;
  readonly compute: number;
  readonly send: number;
  readonly receive: number;
}
export interface ClusterDevice {
  readonly name: string;
  /** Relative to this machine; 1 for a device that has a profile. */
  readonly speed: number;
  /** Absolute path of a file of measured costs, which need not exist yet. */
  readonly profile?: string | undefined;
  /** What the file says; see with-profiles.ts. */
  readonly measured?: DeviceProfile | undefined;
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Of a number that is float32 in the model: what an accelerator computes in that is only predicted. */
  readonly bits?: 8 | 16 | 32 | undefined;
  /** Unknown where the file has none. */
  readonly power?: Power | undefined;
  /** onnxruntime's. */
  readonly threads?: number | undefined;
  /** onnxruntime's execution providers, the preferred one first. */
  readonly providers?: readonly string[] | undefined;
  readonly endpoint?: string | undefined;
}
export interface Link {
  readonly between: readonly [string, string];
  /** Bytes per second: of each direction, or of both together where duplex is half. */
  readonly bandwidth: number;
  /** Seconds one way, after the last byte has left. */
  readonly latency: number;
  /** Seconds a message, whatever its size, during which the link is busy. */
  readonly overhead: number;
  /** Bytes that a link at rest takes at once: a bucket that fills again at the link's bandwidth, as shapers have it. */
  readonly burst: number;
  /** Bytes: messages are cut into frames of this payload, each of which adds its overhead. */
  readonly frame: { readonly payload: number; readonly overhead: number } | null;
  /** Joules a byte of a message. */
  readonly energy: number;
  /** Watts from when a message's first byte is sent until its last is received. */
  readonly power: number;
  /** half: both directions wait in one queue. */
  readonly duplex: 'full' | 'half';
}
export interface Cluster {
  /** In the file's order. */
  readonly devices: readonly ClusterDevice[];
  readonly links: readonly Link[];
  /** Device that holds the model's inputs. */
  readonly inputs: string;
  /** Device that wants the model's outputs. */
  readonly outputs: string;
}

const clusterError = (where: string, message: string, hint?: string) =>
  new CompileError('cluster', message, { at: [where], ...(hint ? { hint } : {}) });

/**
 * @param where what errors call the file
 * @param folder from which paths of profiles count
 * @throws cluster naming the field and what would be right
 */
export function parseCluster(data: unknown, where = 'cluster', folder = '.'): Cluster {
  const result = clusterFile.safeParse(data);
  if (!result.success) {
    throw clusterError(where, describeIssues(result.error), 'see "Cluster file" in the README for every field');
  }
  const { devices, links } = result.data;
  const names = Object.keys(devices);
  if (names.length === 0) throw clusterError(where, 'devices: at least one is needed');
  const known = (field: string, name: string): string => {
    if (names.includes(name)) return name;
    throw clusterError(where, `${field}: no device "${name}"`, `devices are ${names.join(', ')}`);
  };
  for (const [i, { between }] of links.entries()) {
    for (const name of between) known(`links.${i}.between`, name);
    const [a, b] = between;
    if (a === b) throw clusterError(where, `links.${i}.between: "${a}" is linked to itself`);
    const again = links.findIndex((other) => other.between.includes(a) && other.between.includes(b));
    if (again < i) throw clusterError(where, `links.${i}.between: links.${again} joins "${a}" and "${b}" already`);
  }
  return {
    devices: names.map((name): ClusterDevice => {
      const { profile, ...device } = devices[name]!;
      return { name, ...device, ...(profile !== undefined && { profile: resolve(folder, profile) }) };
    }),
    links,
    inputs: known('inputs', result.data.inputs ?? names[0]!),
    outputs: known('outputs', result.data.outputs ?? result.data.inputs ?? names[0]!),
  };
}

/** Reads YAML or JSON. @throws cluster */
export async function loadCluster(path: string): Promise<Cluster> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new CompileError('cluster', `cannot read ${path}`, { cause, hint: 'give a cluster file with --cluster' });
  }
  try {
    return parseCluster(parse(text), path, dirname(path));
  } catch (cause) {
    if (cause instanceof CompileError) throw cause;
    throw clusterError(
      path,
      cause instanceof Error ? cause.message.split('\n')[0]! : String(cause),
      'write YAML or JSON',
    );
  }
}

/** The link that joins two devices, if any. */
export const linkBetween = (cluster: Cluster, a: string, b: string): Link | undefined =>
  cluster.links.find(({ between }) => between.includes(a) && between.includes(b));
