/** A policy makes a plan: one small file each, all behind this interface. */
import type { Cluster } from '../../cluster/cluster.ts';
import { CompileError } from '../../error.ts';
import type { Program } from '../../ir/program.ts';
import type { Plan, PlanObjective } from '../plan.ts';
import type { Request } from '../request.ts';

/** What a plan comes to once it is lowered and simulated step by step, to be small; infinite: not allowed. */
export type Judge = (operators: Plan['operators']) => number;

export interface Policy {
  readonly name: string;
  /** What follows the name and a colon, e.g. `DEVICE`; none if undefined. */
  readonly argument?: string;
  /** The argument may be left out. */
  readonly optional?: true;
  readonly summary: string;
  /** What its plans are always made for, whatever is asked. */
  readonly objective?: PlanObjective;
  /** Whether there is anything in a program that it is for, if not always; comparisons leave it out otherwise. */
  readonly applies?: (program: Program<'imported'>) => boolean;
  /** Parts of every operator that is not computed on demand. @throws policy */
  readonly plan: (
    program: Program<'imported'>,
    cluster: Cluster,
    argument: string,
    request: Request,
    judge?: Judge,
  ) => Plan['operators'] | Promise<Plan['operators']>;
}

export const policyError = (policy: string, message: string, hint: string): CompileError =>
  new CompileError('policy', message, { at: [`policy ${policy}`], hint });
