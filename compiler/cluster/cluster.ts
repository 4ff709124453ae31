/** The machines: devices, the links between them, who holds the inputs and who wants the outputs. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { CompileError } from '../error.ts';
import { describeIssues } from '../issues.ts';
import { parseBandwidth, parseSize, parseTime } from './units.ts';

const quantity = (read: (text: string) => number | string, positive: boolean) =>
  z.union([z.string(), z.number()], 'a number with its unit is expected').transform((given, context) => {
    const value = read(String(given));
    const low = typeof value === 'number' && !(positive ? value > 0 : value >= 0);
    const huge = value === Number.POSITIVE_INFINITY;
    if (typeof value === 'number' && !low && !huge) return value;
    const limit = huge ? 'is too large' : `must be ${positive ? 'above' : 'at least'} zero`;
    context.addIssue({ code: 'custom', message: typeof value === 'string' ? value : `"${given}" ${limit}` });
    return z.NEVER;
  });

const deviceName = z.string().regex(/^[A-Za-z][\w-]*$/, 'a device name is a letter, then letters, digits, _ or -');
const device = z.strictObject({
  /** Relative to this machine. */
  speed: z.number().positive().default(1),
  memory: quantity(parseSize, true).optional(),
  /** onnxruntime's threads. */
  threads: z.int().positive().optional(),
  /** Where the device listens, e.g. tcp://10.0.0.2:7000. */
  endpoint: z
    .string()
    .regex(/^tcp:\/\/[^\s:]+:\d+$/, 'an endpoint is tcp://host:port')
    .optional(),
});
const link = z.strictObject({
  between: z.tuple([z.string(), z.string()]),
  bandwidth: quantity(parseBandwidth, true),
  latency: quantity(parseTime, false).default(0),
});
const file = z.strictObject({
  // `robot:` with nothing after it is a device with every default.
  devices: z.record(
    deviceName,
    z.preprocess((value) => value ?? {}, device),
  ),
  links: z.array(link).default([]),
  inputs: z.string().optional(),
  outputs: z.string().optional(),
});

export interface ClusterDevice {
  readonly name: string;
  /** Relative to this machine. */
  readonly speed: number;
  /** Bytes. */
  readonly memory?: number | undefined;
  readonly threads?: number | undefined;
  readonly endpoint?: string | undefined;
}
export interface Link {
  readonly between: readonly [string, string];
  /** Bytes per second, each direction. */
  readonly bandwidth: number;
  /** Seconds. */
  readonly latency: number;
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

/** @throws cluster naming the field and what would be right */
export function parseCluster(data: unknown, where = 'cluster'): Cluster {
  const result = file.safeParse(data);
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
    devices: names.map((name) => ({ name, ...devices[name]! })),
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
    return parseCluster(parse(text), path);
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
