/** Policies side by side: each one's plan, judged by the same simulator; `auto` is the best of them. */
import type { Cluster } from './cluster/cluster.ts';
import { CompileError } from './error.ts';
import type { Program } from './ir/program.ts';
import { lower } from './lower.ts';
import type { Plan } from './planning/plan.ts';
import { makePlan, policies, preparePolicy } from './planning/policies/index.ts';
import type { Schedule } from './planning/schedule.ts';

/** The best of all policies. */
export const AUTO = 'auto';

/** The policies that need no argument. */
export const comparable: readonly string[] = policies
  .filter(({ argument, optional }) => argument === undefined || optional)
  .map(({ name }) => name);

/** What a policy's plan comes to, or why there is none. */
export interface Planned {
  readonly policy: string;
  readonly plan: Plan;
  readonly schedule: Schedule;
}
export interface Refused {
  readonly policy: string;
  readonly error: CompileError;
}
export type Judged = Planned | Refused;

/** Loads what policies need; has to be awaited before the others. @throws policy */
export async function preparePolicies(names: readonly string[]): Promise<void> {
  for (const name of names) {
    for (const one of name === AUTO ? comparable : [name]) await preparePolicy(one);
  }
}

/** Plans of policies, each lowered and simulated; what the user could mend is told beside the others. */
export function judge(program: Program<'imported'>, cluster: Cluster, names: readonly string[]): Judged[] {
  return names.map((policy): Judged => {
    try {
      return { policy, ...lower(program, { cluster, plan: makePlan(program, cluster, policy) }) };
    } catch (error) {
      if (error instanceof CompileError) return { policy, error };
      throw error;
    }
  });
}

/** The plan with the least makespan; of equal ones the first. @throws what the first policy threw, if none has a plan */
export function best(judged: readonly Judged[]): Planned {
  const planned = judged.filter((one) => 'schedule' in one);
  const [first, ...others] = planned;
  if (first) return others.reduce((a, b) => (b.schedule.makespan < a.schedule.makespan ? b : a), first);
  const failed = judged.find((one) => 'error' in one);
  throw failed ? failed.error : new Error('no policy to choose from');
}

/** The plan of a policy as users write it. @throws policy, and what the policy throws */
export function planBy(program: Program<'imported'>, cluster: Cluster, policy: string): Plan {
  if (policy !== AUTO) return makePlan(program, cluster, policy);
  const { plan } = best(judge(program, cluster, comparable));
  return { ...plan, policy: `${AUTO}: ${plan.policy}` };
}
