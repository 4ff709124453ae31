/** Plans of one model, built and run in this process on the same inputs, before anything is given to anyone. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBundle } from '../codegen/write-bundle.ts';
import { type NamedTensors, openBundle, randomTensor, type TensorSpec } from '../runtime/index.ts';
import type { Cluster } from './cluster/cluster.ts';
import { compare } from './compare.ts';
import { CompileError } from './error.ts';
import type { Program } from './ir/program.ts';
import { type Lowered, lower } from './lower.ts';
import type { UserPass } from './pass.ts';
import type { Plan } from './planning/plan.ts';
import type { Request } from './planning/request.ts';
import { objectiveValue } from './policies.ts';
import { reference } from './reference.ts';

/** What plans are for. */
export interface Subject {
  /** Path of the ONNX model, by whose outputs on onnxruntime errors are measured. */
  readonly model: string;
  /** Prepared: after users' passes of the imported stage. */
  readonly program: Program<'imported'>;
  readonly cluster: Cluster;
  readonly passes?: readonly UserPass[] | undefined;
  /** What plans are to be good at. */
  readonly request?: Request | undefined;
}

/** Given what the program takes, what it is run on. */
export type InputMaker = (specs: readonly TensorSpec[]) => Promise<NamedTensors>;

/** Seconds, for every wait: whatever the device, it is this machine that computes. */
const TIMEOUT = 600;

const random: InputMaker = async (specs) =>
  Object.fromEntries(specs.map((spec, i) => [spec.name, randomTensor(spec, i + 1)]));

/** Without what only the devices themselves have or lack. */
const onThisMachine = (cluster: Cluster): Cluster => ({
  ...cluster,
  devices: cluster.devices.map(({ memory: _, providers: __, threads: ___, ...device }) => device),
});

export class Rehearsal {
  private known: { inputs: NamedTensors; expected: NamedTensors } | undefined;

  /** @param inputs random if left out */
  constructor(
    private readonly subject: Subject,
    private readonly inputs: InputMaker = random,
  ) {}

  /** What is decided so far is to count. */
  get isStopped(): boolean {
    return this.subject.request?.signal?.aborted ?? false;
  }

  lower(plan: Plan): Lowered {
    const { program, cluster, passes } = this.subject;
    return lower(program, { cluster, plan, passes });
  }

  /** Predicted, to be small; infinite if a device has too little memory for the plan, or it misses the deadline. */
  value(plan: Plan): number {
    const { cluster, request: { objective, deadline = Number.POSITIVE_INFINITY } = {} } = this.subject;
    try {
      const { schedule } = this.lower(plan);
      return schedule.makespan > deadline ? Number.POSITIVE_INFINITY : objectiveValue(cluster, schedule, objective);
    } catch (error) {
      if (error instanceof CompileError && error.code === 'device-memory') return Number.POSITIVE_INFINITY;
      throw error;
    }
  }

  /**
   * @param watched tensors that are given out beside the outputs
   * @returns inputs, outputs, what is watched of the rest; how far the output that is furthest off is from onnxruntime's, as a
   * share of the largest magnitude
   */
  async run(plan: Plan, watched: readonly string[] = []): Promise<{ tensors: NamedTensors; error: number }> {
    const { model, program, passes } = this.subject;
    const cluster = onThisMachine(this.subject.cluster);
    // What users' later passes add is not in the program.
    const added = watched.filter((name) => program.tensors.has(name));
    const outputs = [...new Set([...program.outputs, ...added])];
    const { schedule } = lower({ ...program, outputs }, { cluster, plan, passes });
    const folder = await mkdtemp(join(tmpdir(), 'shardonnx-rehearsal-'));
    try {
      const build = join(folder, 'build');
      await writeBundle(build, { plans: [{ schedule, plan, bandwidth: null }], cluster });
      const actual = await this.infer(build);
      this.known ??= { inputs: actual.inputs, expected: await reference(model, actual.inputs) };
      const { inputs, expected } = this.known;
      const errors = program.outputs.map((name) => compare(name, actual.outputs[name], expected[name]!).maxRel);
      return { tensors: { ...inputs, ...actual.outputs }, error: Math.max(0, ...errors) };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  private async infer(build: string): Promise<{ inputs: NamedTensors; outputs: NamedTensors }> {
    const bundle = await openBundle(build, { transport: 'memory', timeout: TIMEOUT });
    try {
      const inputs = this.known?.inputs ?? (await this.inputs(bundle.inputs));
      const { outputs } = await bundle.infer(inputs);
      return { inputs, outputs };
    } finally {
      await bundle.close();
    }
  }
}
