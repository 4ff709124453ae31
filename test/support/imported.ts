/** The models of fixtures/models.ts, written once a test process and imported. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { type LowerOptions, lower, prepare } from '../../compiler/lower.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import type { Schedule } from '../../compiler/planning/schedule.ts';
import { models } from '../../fixtures/models.ts';

export type ModelName = keyof typeof models;

let folder: string | undefined;
const files = new Map<string, string>();
const programs = new Map<string, Promise<Program<'imported'>>>();

function workFolder(): string {
  if (folder !== undefined) return folder;
  const made = mkdtempSync(join(tmpdir(), 'shardonnx-test-'));
  process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  folder = made;
  return made;
}

/** Path of the model; removed when the process ends. */
export function modelFile(name: ModelName): string {
  const known = files.get(name);
  if (known) return known;
  const file = join(workFolder(), `${name}.onnx`);
  writeFileSync(file, models[name]());
  files.set(name, file);
  return file;
}

export function imported(name: ModelName): Promise<Program<'imported'>> {
  const known = programs.get(name) ?? importModel(modelFile(name));
  programs.set(name, known);
  return known;
}

/** Devices by speed, every two joined by the same kind of link; the first has the inputs, and wants the outputs unless another is named. */
export function clusterOf(speeds: Readonly<Record<string, number>>, outputs?: string, bandwidth = '1 Gbit/s'): Cluster {
  const names = Object.keys(speeds);
  return parseCluster({
    devices: Object.fromEntries(names.map((name) => [name, { speed: speeds[name] }])),
    links: names.flatMap((a, i) => names.slice(i + 1).map((b) => ({ between: [a, b], bandwidth, latency: '0.1 ms' }))),
    ...(outputs ? { outputs } : {}),
  });
}

/** A plan that says of some operators where they run; all others run on `rest`. */
export const planOf = (program: Program<'imported'>, operators: Plan['operators'], rest: string): Plan => ({
  format: 1,
  model: program.name,
  policy: 'by hand',
  operators: { ...Object.fromEntries(program.operators.map(({ origin }) => [origin, rest])), ...operators },
});

/** The schedule, and the program of every stage on the way to it. */
export function lowered(
  program: Program<'imported'>,
  options: Omit<LowerOptions, 'observe'>,
): { schedule: Schedule; plan: Plan; programs: Program[] } {
  const programs: Program[] = [];
  const all = { ...options, observe: (one: Program) => void programs.push(one) };
  const result = lower(prepare(program, all), all);
  return { ...result, programs };
}

/** Bytes that cross between devices. */
export const bytesMoved = ({ channels }: Schedule): number => channels.reduce((sum, { bytes }) => sum + bytes, 0);
