/** One case: compiled, run on all its devices in this process, compared with what is expected. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBundle } from '../../codegen/write-bundle.ts';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { compare } from '../../compiler/compare.ts';
import { lower } from '../../compiler/lower.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { reference } from '../../compiler/reference.ts';
import { openBundle, type Tensor } from '../../runtime/index.ts';
import { type Case, type DataSet, freeDimensions, readData, withoutDefaults } from './cases.ts';
import { type Reason, wholeReasons } from './reasons.ts';
import { splitOperators } from './split-count.ts';
import { splitEverything } from './split-everything.ts';

export interface Options {
  readonly devices: number;
  /** See {@link splitEverything}. */
  readonly turn: number;
  /** One of shardonnx's own policies instead. */
  readonly policy: string | null;
}

export interface Outcome {
  readonly name: string;
  /** unsupported: plain onnxruntime-node does not run it, or gives another answer than expected itself. */
  readonly status: 'passed' | 'failed' | 'unsupported';
  /** Whether an operator was computed in parts on several devices. */
  readonly split: boolean;
  /** Operators that ran whole, and why. */
  readonly reasons: readonly Reason[];
  readonly error: string | null;
  readonly ms: number;
}

type Named = Readonly<Record<string, Tensor>>;
/** The steps of a case, told when they begin: a crash is known by the step that was under way. */
export type Stage = 'compile' | 'run' | 'onnxruntime';

const workspace = mkdtempSync(join(tmpdir(), 'shardonnx-conformance-'));
process.on('exit', () => rmSync(workspace, { recursive: true, force: true }));

/** Equal devices, each linked to each; the first has the inputs, the last wants the outputs. */
function clusterOf(count: number): Cluster {
  const names = Array.from({ length: count }, (_, i) => `d${i}`);
  const links = names.flatMap((a, i) => names.slice(i + 1).map((b) => ({ between: [a, b], bandwidth: '1 Gbit/s' })));
  return parseCluster({
    devices: Object.fromEntries(names.map((name) => [name, {}])),
    links,
    inputs: names[0],
    outputs: names.at(-1),
  });
}

/** The suite's own: relative, and absolute. */
function differences(actual: Named, expected: Named): string[] {
  return Object.entries(expected).flatMap(([name, tensor]) => {
    const half = tensor.type === 'float16';
    const { ok, diverges } = compare(name, actual[name], tensor, {
      rtol: half ? 1e-2 : 1e-3,
      atol: 0,
      noise: half ? 1e-2 : 1e-5,
    });
    return ok ? [] : [`"${name}" ${diverges}`];
  });
}

interface Built {
  readonly split: boolean;
  readonly whole: readonly Reason[];
}

async function build(test: Case, data: DataSet, options: Options, output: string): Promise<Built> {
  const imported = await importModel(withoutDefaults(test.model, data, workspace), {
    dims: freeDimensions(test, data),
  });
  const cluster = clusterOf(options.devices);
  const { policy, turn } = options;
  const plan = policy ? await makePlan(imported, cluster, policy) : splitEverything(imported, cluster, turn);
  const { schedule } = lower(imported, { cluster, plan });
  await writeBundle(output, { plans: [{ schedule, plan, bandwidth: null }], cluster });
  return { split: splitOperators(schedule.program, imported).size > 0, whole: wholeReasons(imported, plan) };
}

async function runBundle(directory: string, inputs: Named): Promise<Named> {
  const bundle = await openBundle(directory, { transport: 'memory', threads: 1 });
  try {
    const { outputs } = await bundle.infer(inputs);
    return outputs;
  } finally {
    await bundle.close();
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Why plain onnxruntime does not pass; undefined if it does. */
export async function plainFault(test: Case): Promise<string | undefined> {
  try {
    for (const { inputs, outputs } of readData(test)) {
      const wrong = differences(await reference(test.model, inputs), outputs);
      if (wrong.length > 0) return `onnxruntime's own ${wrong.join('; ')}`;
    }
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

export async function runCase(test: Case, options: Options, enter: (stage: Stage) => void): Promise<Outcome> {
  const began = performance.now();
  const folder = join(workspace, 'build');
  let built: Built = { split: false, whole: [] };
  const end = (status: Outcome['status'], error: string | null): Outcome => {
    const ms = Math.round(performance.now() - began);
    return { name: test.name, status, split: built.split, reasons: built.whole, error, ms };
  };
  try {
    for (const data of readData(test)) {
      enter('compile');
      built = await build(test, data, options, folder);
      enter('run');
      const wrong = differences(await runBundle(folder, data.inputs), data.outputs);
      if (wrong.length > 0) throw new Error(wrong.join('; '));
    }
    return end('passed', null);
  } catch (error) {
    enter('onnxruntime');
    const fault = await plainFault(test);
    return fault === undefined ? end('failed', messageOf(error)) : end('unsupported', fault);
  }
}
