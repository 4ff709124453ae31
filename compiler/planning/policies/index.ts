/** The policies by name, and plans made from what a user writes: `whole:robot`, `cut:Conv_12`, `spatial`. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program } from '../../ir/program.ts';
import type { Plan } from '../plan.ts';
import type { Request } from '../request.ts';
import { channel } from './channel.ts';
import { cut } from './cut.ts';
import { head } from './head.ts';
import { hybrid } from './hybrid.ts';
import { local } from './local.ts';
import { offload } from './offload.ts';
import { pipeline } from './pipeline.ts';
import { type Judge, type Policy, policyError } from './policy.ts';
import { spatial } from './spatial.ts';
import { whole } from './whole.ts';

export const policies: readonly Policy[] = [whole, local, offload, cut, pipeline, spatial, channel, head, hybrid];

/** `whole:DEVICE` … as help texts show it. */
export function policyUsage({ name, argument, optional }: Policy): string {
  if (!argument) return name;
  return optional ? `${name}[:${argument}]` : `${name}:${argument}`;
}

/** The policy that a user writes as `cut:Conv_12` or `spatial`. @throws policy */
function findPolicy(text: string): Policy {
  const name = text.split(':')[0];
  const policy = policies.find((one) => one.name === name);
  if (policy) return policy;
  throw policyError(text, `no policy "${name}"`, `policies are ${policies.map(policyUsage).join(', ')}`);
}

/** What a policy makes of a request. @throws policy */
export function askedOf(text: string, request: Request): Request {
  const { objective = request.objective } = findPolicy(text);
  return { ...request, objective };
}

/** What a plan says about the order of its steps. */
export const orderOf = ({ objective }: Request): Pick<Plan, 'objective'> =>
  objective === 'throughput' ? { objective } : {};

/** @param judge of the same request, see {@link askedOf} @throws policy */
export async function makePlan(
  program: Program<'imported'>,
  cluster: Cluster,
  text: string,
  request: Request = {},
  judge?: Judge,
): Promise<Plan> {
  const policy = findPolicy(text);
  const [, argument] = text.split(/:(.*)/s);
  const fits = policy.argument ? argument || (policy.optional && argument === undefined) : argument === undefined;
  if (!fits) {
    const message = policy.argument ? 'needs an argument' : 'takes no argument';
    throw policyError(text, message, `write ${policyUsage(policy)}`);
  }
  const asked = askedOf(text, request);
  const operators = await policy.plan(program, cluster, argument ?? '', asked, judge);
  return { format: 1, model: program.name, policy: text, ...orderOf(asked), operators };
}
