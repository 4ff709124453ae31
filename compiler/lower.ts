/** The stages between a plan and a schedule: split, assemble, link (and encode), schedule. */
import { assembleValues } from '../passes/assemble-values.ts';
import { encodeTransfers } from '../passes/encode-transfers.ts';
import { insertTransfers } from '../passes/insert-transfers.ts';
import { scheduleSteps } from '../passes/schedule-steps.ts';
import { splitOperators } from '../passes/split-operators.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { Program, Stage } from './ir/program.ts';
import { verifyProgram } from './ir/verify.ts';
import { type Pass, passesOf, type UserPass } from './pass.ts';
import { costsOf } from './planning/costs/costs.ts';
import type { Plan } from './planning/plan.ts';
import type { Schedule } from './planning/schedule.ts';
import { simulateSteps } from './planning/simulate.ts';

export interface StageOptions {
  readonly cluster: Cluster;
  /** Users' passes; each runs after the stage it names, in this order. */
  readonly passes?: readonly UserPass[] | undefined;
  /** Sees every program once it is verified. */
  readonly observe?: ((program: Program) => void) | undefined;
}

export interface LowerOptions extends StageOptions {
  readonly plan: Plan;
  /** The schedule is only compared with others: programs are not verified, which is done when one of them is built. */
  readonly isCandidate?: boolean;
}

export interface Lowered {
  readonly schedule: Schedule;
  readonly plan: Plan;
}

/** One pass, its result verified. */
function run<From extends Stage, To extends Stage>(
  pass: Pass<From, To>,
  program: Program<From>,
  { cluster, isCandidate }: StageOptions & Partial<LowerOptions>,
  plan: Plan | null,
): Program<To> {
  const result = pass.run(program, { cluster, plan });
  if (isCandidate) return result;
  verifyProgram(
    result,
    pass.name,
    cluster.devices.map(({ name }) => name),
  );
  return result;
}

/** The stage's program after the users' passes of that stage. */
function settle<S extends Stage>(program: Program<S>, options: StageOptions, plan: Plan | null): Program<S> {
  const { passes = [], observe } = options;
  const settled = passesOf(passes, program.stage).reduce((now, pass) => run(pass, now, options, plan), program);
  observe?.(settled);
  return settled;
}

/** The imported program after the users' passes of that stage: what plans are made for. */
export function prepare(imported: Program<'imported'>, options: StageOptions): Program<'imported'> {
  verifyProgram(imported, 'import');
  return settle(imported, options, null);
}

/** Prepared program and plan → schedule: split, assemble, link, schedule; every stage is verified, unless it is but a candidate's. */
export function lower(prepared: Program<'imported'>, options: LowerOptions): Lowered {
  const { cluster, plan } = options;
  const stage = <From extends Stage, To extends Stage>(pass: Pass<From, To>, program: Program<From>) =>
    settle(run(pass, program, options, plan), options, plan);
  let linked = stage(insertTransfers, stage(assembleValues, stage(splitOperators, prepared)));
  if (plan.encodings) {
    // Last, so that users' passes see what crosses under its own name.
    linked = run(encodeTransfers, linked, options, plan);
    options.observe?.(linked);
  }
  const costs = costsOf(prepared, cluster);
  const schedule = simulateSteps(
    linked,
    cluster,
    scheduleSteps(linked, cluster, costs, plan.objective),
    costs,
    plan.objective,
  );
  return { schedule, plan };
}
