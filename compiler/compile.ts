/** The whole line: a model and a cluster in, device bundles out. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type WrittenDevice, writeBundle } from '../codegen/write-bundle.ts';
import { assembleValues } from '../passes/assemble-values.ts';
import { insertTransfers } from '../passes/insert-transfers.ts';
import { scheduleSteps } from '../passes/schedule-steps.ts';
import { splitOperators } from '../passes/split-operators.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Program, Stage } from './ir/program.ts';
import { formatProgram } from './ir/text.ts';
import { verifyProgram } from './ir/verify.ts';
import { type ImportOptions, importModel } from './onnx/import.ts';
import { type Pass, passesOf, type UserPass } from './pass.ts';
import { costsOf } from './planning/costs/costs.ts';
import { formatPlan, type Plan } from './planning/plan.ts';
import { makePlan, preparePolicy } from './planning/policies/index.ts';
import type { Schedule } from './planning/schedule.ts';
import { simulateSteps } from './planning/simulate.ts';

export interface LowerOptions {
  readonly cluster: Cluster;
  /** A plan, or what makes one of the program that is to be split. */
  readonly plan: Plan | ((program: Program<'imported'>) => Plan);
  /** Users' passes; each runs after the stage it names, in this order. */
  readonly passes?: readonly UserPass[] | undefined;
  /** Sees every program once it is verified. */
  readonly observe?: ((program: Program) => void) | undefined;
}

export interface Lowered {
  readonly schedule: Schedule;
  readonly plan: Plan;
}

/** Imported program and plan → schedule: split, assemble, link, schedule; every stage is verified. */
export function lower(imported: Program<'imported'>, options: LowerOptions): Lowered {
  const { cluster, passes = [], observe } = options;
  const run = <From extends Stage, To extends Stage>(
    pass: Pass<From, To>,
    program: Program<From>,
    plan: Plan | null,
  ) => {
    const result = pass.run(program, { cluster, plan });
    verifyProgram(
      result,
      pass.name,
      cluster.devices.map(({ name }) => name),
    );
    return result;
  };
  /** The stage's program after the users' passes of that stage. */
  const settle = <S extends Stage>(program: Program<S>, plan: Plan | null): Program<S> => {
    const settled = passesOf(passes, program.stage).reduce((current, pass) => run(pass, current, plan), program);
    observe?.(settled);
    return settled;
  };
  verifyProgram(imported, 'import');
  const prepared = settle(imported, null);
  const plan = typeof options.plan === 'function' ? options.plan(prepared) : options.plan;
  const split = settle(run(splitOperators, prepared, plan), plan);
  const assembled = settle(run(assembleValues, split, plan), plan);
  const linked = settle(run(insertTransfers, assembled, plan), plan);
  const costs = costsOf(prepared, cluster);
  const schedule = simulateSteps(linked, cluster, scheduleSteps(linked, cluster, costs), costs);
  return { schedule, plan };
}

export interface CompileOptions extends ImportOptions {
  /** Path of an ONNX model. */
  readonly model: string;
  readonly cluster: Cluster;
  /** A plan, or the name of a policy that makes one; `spatial` if neither is given. */
  readonly plan?: Plan | undefined;
  readonly policy?: string | undefined;
  readonly passes?: readonly UserPass[] | undefined;
  /** Folder that receives every stage as text. */
  readonly dump?: string | undefined;
  /** The build folder; replaced if it is an earlier build. */
  readonly output: string;
  /** Told what is being done, and how much of it. */
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface Compiled {
  readonly schedule: Schedule;
  readonly plan: Plan;
  readonly devices: readonly WrittenDevice[];
}

/** @throws CompileError for whatever the user can mend; then nothing is written */
export async function compile(options: CompileOptions): Promise<Compiled> {
  const { cluster, output, dump } = options;
  const { progress = () => {} } = options;
  progress(`importing ${options.model}`, 0, 100);
  if (options.policy !== undefined) await preparePolicy(options.policy);
  const imported = await importModel(options.model, options);
  progress('splitting', 5, 100);
  const dumps: Program[] = [];
  const make =
    options.plan ?? ((program: Program<'imported'>) => makePlan(program, cluster, options.policy ?? 'spatial'));
  const observe = dump ? (program: Program) => dumps.push(program) : undefined;
  let lowered: Lowered | undefined;
  try {
    lowered = lower(imported, { cluster, plan: make, passes: options.passes, observe });
  } finally {
    // Also when a pass failed: the stages before it show why.
    if (dump) await writeDumps(dump, dumps, lowered?.plan);
  }
  const { schedule, plan } = lowered;
  const devices = await writeBundle(output, { schedule, plan, cluster, progress });
  return { schedule, plan, devices };
}

/** `0-imported.ir`, `1-split.ir`, … and the plan. */
async function writeDumps(folder: string, programs: readonly Program[], plan: Plan | undefined): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [i, program] of programs.entries()) {
    await writeFile(join(folder, `${i}-${program.stage}.ir`), formatProgram(program));
  }
  if (plan) await writeFile(join(folder, 'plan.json'), formatPlan(plan));
}
