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
  let linked = settle(run(insertTransfers, assembled, plan), plan);
  if (plan.encodings) {
    // Last, so that users' passes see what crosses under its own name.
    linked = run(encodeTransfers, linked, plan);
    observe?.(linked);
  }
  const costs = costsOf(prepared, cluster);
  const schedule = simulateSteps(linked, cluster, scheduleSteps(linked, cluster, costs), costs);
  return { schedule, plan };
}
