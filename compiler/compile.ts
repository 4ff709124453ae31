/** The whole line: a model and a cluster in, device bundles out. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ENGINES, type Engine } from '../codegen/deploy/write-deployments.ts';
import { type BundlePlan, type WrittenDevice, writeBundle } from '../codegen/write-bundle.ts';
import type { Cluster } from './cluster/cluster.ts';
import { withProfiles } from './cluster/with-profiles.ts';
import { type Accuracy, checkEncodings, chooseEncodings, type Encoded, planWithin } from './encode.ts';
import type { Program } from './ir/program.ts';
import { formatProgram } from './ir/text.ts';
import { lower, prepare } from './lower.ts';
import { type ImportOptions, importModel } from './onnx/import.ts';
import type { UserPass } from './pass.ts';
import { costNotices } from './planning/costs/notices.ts';
import type { BytesPerFloat } from './planning/encodings.ts';
import { formatPlan, type Plan } from './planning/plan.ts';
import type { Request } from './planning/request.ts';
import type { Schedule } from './planning/schedule.ts';
import { planBy } from './policies.ts';
import type { Subject } from './rehearsal.ts';
import { type SeveralPlans, severalPlans } from './several-plans.ts';

export { ENGINES, type Engine };

export interface CompileOptions extends ImportOptions {
  /** Path of an ONNX model. */
  readonly model: string;
  readonly cluster: Cluster;
  /** A plan, or the name of a policy that makes one (`auto`: the best of all); `spatial` if neither is given. */
  readonly plan?: Plan | undefined;
  readonly policy?: string | undefined;
  /** Several plans in one build, of which devices choose as they run. */
  readonly several?: Omit<SeveralPlans, 'policy' | 'request'> | undefined;
  /** What the policy's plan is to be good at; default: latency. */
  readonly request?: Request | undefined;
  /** Lets what crosses be encoded, measured; left out: exact, but what the plan encodes is as the plan says. */
  readonly accuracy?: Accuracy | undefined;
  readonly passes?: readonly UserPass[] | undefined;
  /** Folder that receives every stage as text. */
  readonly dump?: string | undefined;
  /** The build folder; replaced if it is an earlier build. */
  readonly output: string;
  /** Engines that the build is to be run by: `deploy/` gets files for them. */
  readonly deploy?: readonly Engine[] | undefined;
  /** Told what is being done, and how much of it. */
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface Compiled {
  /** Of the first plan. */
  readonly schedule: Schedule;
  readonly plan: Plan;
  /** All of them; devices begin with the first. */
  readonly plans: readonly BundlePlan[];
  readonly devices: readonly WrittenDevice[];
  /** What encodings come to; where an accuracy was given. */
  readonly encoded?: Encoded | undefined;
}

/** @throws CompileError for whatever the user can mend; then nothing is written */
export async function compile(options: CompileOptions): Promise<Compiled> {
  const { output, dump } = options;
  const cluster = await withProfiles(options.cluster);
  const { progress = () => {} } = options;
  progress(`importing ${options.model}`, 0, 100);
  const imported = await importModel(options.model, options);
  for (const text of costNotices(imported, cluster)) options.notice?.(text);
  progress('splitting', 5, 100);
  const dumps: Program[] = [];
  const stages = { cluster, passes: options.passes, observe: (program: Program) => void (dump && dumps.push(program)) };
  let plans: readonly BundlePlan[] = [];
  let encoded: Encoded | undefined;
  try {
    const prepared = prepare(imported, stages);
    if (options.several) {
      plans = await severalPlans(prepared, stages, { ...options, ...options.several });
    } else {
      encoded = await encode({ ...options, program: prepared, cluster }, options);
      const plan = encoded?.plan ?? (await planned(prepared, cluster, options));
      plans = [{ ...lower(prepared, { ...stages, plan }), bandwidth: null }];
    }
  } finally {
    // Also when a pass failed: the stages before it show why.
    if (dump) await writeDumps(dump, dumps, plans[0]?.plan);
  }
  const devices = await writeBundle(output, { plans, cluster, deploy: options.deploy, progress });
  const { schedule, plan } = plans[0]!;
  return { schedule, plan, plans, devices, encoded };
}

/** The plan that is given, or the policy's. */
const planned = async (
  program: Program<'imported'>,
  cluster: Cluster,
  { plan, policy = 'spatial', request }: CompileOptions,
): Promise<Plan> => plan ?? planBy(program, cluster, policy, request);

/** Measures the encodings that a plan has, else chooses them; undefined: nothing is asked. */
async function encode(subject: Subject, options: CompileOptions): Promise<Encoded | undefined> {
  const { plan, accuracy, request } = options;
  if (plan?.encodings && accuracy) return checkEncodings(subject, plan, accuracy);
  if (!accuracy?.maxRelativeError) return undefined;
  if (plan) return chooseEncodings(subject, plan, accuracy);
  const planner = (bytesPerFloat: BytesPerFloat) =>
    planned(subject.program, subject.cluster, { ...options, request: { ...request, bytesPerFloat } });
  return planWithin(subject, planner, accuracy);
}

/** `0-imported.ir`, `1-split.ir`, … and the plan. */
async function writeDumps(folder: string, programs: readonly Program[], plan: Plan | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [i, program] of programs.entries()) {
    await writeFile(join(folder, `${i}-${program.stage}.ir`), formatProgram(program));
  }
  if (plan) await writeFile(join(folder, 'plan.json'), formatPlan(plan));
}
