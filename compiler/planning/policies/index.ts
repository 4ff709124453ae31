/** The policies by name, and plans made from what a user writes: `whole:robot`, `cut:Conv_12`, `spatial`. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import type { Plan } from '../plan.ts';
import { cut } from './cut.ts';
import { type Policy, policyError } from './policy.ts';
import { spatial } from './spatial.ts';
import { whole } from './whole.ts';

export const policies: readonly Policy[] = [whole, cut, spatial];

/** `whole:DEVICE` … as help texts show it. */
export const policyUsage = ({ name, argument }: Policy): string => (argument ? `${name}:${argument}` : name);

/** @throws policy */
export function makePlan(program: Program<'imported'>, cluster: Cluster, text: string): Plan {
  const [name = '', argument = ''] = text.split(/:(.*)/s);
  const policy = policies.find((one) => one.name === name);
  const usage = policies.map(policyUsage).join(', ');
  if (!policy) throw policyError(text, `no policy "${name}"`, `policies are ${usage}`);
  if (Boolean(policy.argument) !== (argument !== '')) {
    throw policyError(
      text,
      policy.argument ? `needs an argument` : 'takes no argument',
      `write ${policyUsage(policy)}`,
    );
  }
  return { format: 1, model: program.name, policy: text, operators: policy.plan(program, cluster, argument) };
}
