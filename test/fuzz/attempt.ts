/** One damaged model through `inspect` and `compile`, in a sandbox: does each end with a valid result or a clear error? */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { readBundleManifest, readDeviceManifest } from '../../runtime/read-manifest.ts';
import { verifyFiles } from '../../runtime/verify-files.ts';
import { json, type Spoken, shardonnx } from '../support/cli.ts';
import { mutate, Random } from './mutate.ts';
import { type Subject, subjects } from './subjects.ts';

export interface Job {
  readonly seed: number;
}

export interface Attempt extends Job {
  readonly subject: string;
  readonly mutations: readonly string[];
  /** Of `inspect` and `compile`: `ok`, or the code of a clear error. */
  readonly ends: readonly string[];
  /** What must not be: anything else that happened. */
  readonly fault?: string;
  /** It did not end in time. */
  readonly hung?: boolean;
  readonly ms: number;
}

/** tsx keeps what it compiled. */
const isCache = /[\\/]tsx-\d+/;

/** Where a run may write: a temporary folder, a working folder that must stay empty, one for builds. */
export class Sandbox {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'shardonnx-fuzz-')));
  /** So deep that ../../.. is still inside. */
  readonly #home = join(this.root, 'a', 'b', 'c');
  readonly model = this.path('model', 'model.onnx');
  readonly cluster = this.path('cluster.json');
  readonly plan = this.path('plan.json');
  readonly output = this.path('out', 'build');

  #before: ReadonlySet<string> = new Set();

  constructor() {
    for (const folder of ['model', 'out', 'working', 'temporary']) mkdirSync(this.path(folder), { recursive: true });
    for (const file of [this.model, this.cluster, this.plan]) writeFileSync(file, '');
    this.#before = new Set(this.strangers());
    process.env.TMPDIR = this.path('temporary');
    process.chdir(this.path('working'));
  }

  path(...names: string[]): string {
    return join(this.#home, ...names);
  }

  /** What is in it that neither was there nor is in `build`. */
  strangers(build?: string): string[] {
    const added = readdirSync(this.root, { recursive: true, encoding: 'utf8' })
      .map((name) => join(this.root, name))
      .filter((file) => !this.#before.has(file) && !isCache.test(file));
    return build === undefined ? added : added.filter((file) => file !== build && !file.startsWith(build + sep));
  }

  clear(): void {
    for (const file of this.strangers()) rmSync(file, { recursive: true, force: true });
  }

  remove(): void {
    process.chdir('/');
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Codes that no model should lead to. */
const ourFaults: readonly string[] = ['internal', 'onnxruntime-start', 'dependency-missing', 'file-system'];

/** The code of the error a command ended with. @throws Error if it is not as errors must be */
export function codeOf({ stdout, stderr, status }: Spoken): string {
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('note: '));
  const code = /^([a-z][a-z0-9]*(?:-[a-z0-9]+)*): ./.exec(lines[0] ?? '')?.[1];
  if (status !== 1 || code === undefined || ourFaults.includes(code)) throw new Error(`status ${status}: ${stderr}`);
  if (/node:internal|\.ts:\d+:\d+/.test(stderr)) throw new Error(`a stack trace: ${stderr}`);
  if (!lines.some((line) => line.startsWith('  at ')) || lines.at(-1)!.startsWith('  at ')) {
    throw new Error(`an error without place or hint: ${stderr}`);
  }
  const said = stdout === '' ? undefined : JSON.parse(stdout);
  if (said && (said.ok !== false || said.error.code !== code)) throw new Error(`stdout is ${stdout}`);
  return code;
}

async function inspected(sandbox: Sandbox): Promise<string> {
  const spoken = await shardonnx('inspect', sandbox.model, '--json');
  if (spoken.status !== 0) return codeOf(spoken);
  if (json(spoken).ok !== true) throw new Error(`status 0 and ${spoken.stdout}`);
  return 'ok';
}

/** With the build's files checked, or nothing of it left. */
async function compiled(sandbox: Sandbox, hasPlan: boolean): Promise<string> {
  const { model, cluster, plan, output } = sandbox;
  const spoken = await shardonnx('compile', model, '-c', cluster, ...(hasPlan ? ['--plan', plan] : []), '-o', output);
  const left = readdirSync(join(output, '..'));
  if (spoken.status !== 0) {
    const code = codeOf(spoken);
    if (left.length > 0) throw new Error(`${code} left ${left}`);
    return code;
  }
  if (String(left) !== 'build') throw new Error(`besides the build there is ${left}`);
  for (const name of (await readBundleManifest(output)).devices) {
    const folder = join(output, name);
    await verifyFiles(folder, await readDeviceManifest(folder));
  }
  return 'ok';
}

/** @param stage told which command comes next */
export async function attempt(sandbox: Sandbox, seed: number, stage: (name: string) => void): Promise<Attempt> {
  const began = performance.now();
  const { subject, bytes, what } = mutantOf(seed);
  writeFileSync(sandbox.model, bytes);
  writeFileSync(sandbox.cluster, subject.cluster);
  if (subject.plan) writeFileSync(sandbox.plan, subject.plan);
  const ends: string[] = [];
  let fault: string | undefined;
  try {
    stage('inspect');
    ends.push(await inspected(sandbox));
    stage('compile');
    ends.push(await compiled(sandbox, subject.plan !== undefined));
    const strangers = sandbox.strangers(sandbox.output);
    if (strangers.length > 0) fault = `files outside the build: ${strangers}`;
    else if (!readFileSync(sandbox.model).equals(bytes)) fault = 'the model was changed';
  } catch (error) {
    // Whatever is thrown here is a fault of what is tested.
    fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  sandbox.clear();
  const ms = Math.round(performance.now() - began);
  return { seed, subject: subject.name, mutations: what, ends, ...(fault !== undefined && { fault }), ms };
}

const whole = new Map<Subject, Uint8Array>();

/** The damaged model of a seed. */
export function mutantOf(seed: number): { subject: Subject; bytes: Uint8Array; what: readonly string[] } {
  const subject = new Random(~seed).pick(subjects);
  const bytes = whole.get(subject) ?? subject.bytes();
  whole.set(subject, bytes);
  return { subject, ...mutate(bytes, seed) };
}
