/** Policies side by side: each one's plan, judged by the same simulator; `auto` is the best of them. */
import type { Cluster } from './cluster/cluster.ts';
import { formatMilliseconds } from './cluster/units.ts';
import { CompileError } from './error.ts';
import type { Program } from './ir/program.ts';
import { type Lowered, lower } from './lower.ts';
import { crossings } from './planning/encodings.ts';
import type { Plan } from './planning/plan.ts';
import { askedOf, makePlan, orderOf, policies } from './planning/policies/index.ts';
import type { Judge } from './planning/policies/policy.ts';
import type { Request } from './planning/request.ts';
import type { Schedule } from './planning/schedule.ts';
import { summarise } from './planning/summary.ts';

/** The best of all policies. */
export const AUTO = 'auto';

/** The policies that need no argument and are for such a program. */
export const comparable = (program: Program<'imported'>): readonly string[] =>
  policies
    .filter(({ argument, optional }) => argument === undefined || optional)
    .filter(({ applies }) => applies?.(program) ?? true)
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

export const isPlanned = (judged: Judged): judged is Planned => 'schedule' in judged;

/** Where floats take two bytes on a link, all that crosses is float16. */
function lowered(program: Program<'imported'>, cluster: Cluster, plan: Plan, { bytesPerFloat }: Request): Lowered {
  const exact = lower(program, { cluster, plan, isCandidate: true });
  if (bytesPerFloat !== 2) return exact;
  const encodings = crossings(exact.schedule).map(({ tensor }) => [tensor, 'float16'] as const);
  const encoded: Plan = { ...plan, maxRelativeError: 1, encodings: Object.fromEntries(encodings) };
  return lower(program, { cluster, plan: encoded, isCandidate: true });
}

/** Judges for policies that have several plans to choose from; what it has lowered need not be lowered again. @param request see askedOf */
function judging(program: Program<'imported'>, cluster: Cluster, request: Request) {
  const { objective, deadline = Number.POSITIVE_INFINITY } = request;
  const schedules = new Map<Plan['operators'], Schedule>();
  const judge: Judge = (operators) => {
    const plan: Plan = { format: 1, model: program.name, policy: 'candidate', ...orderOf(request), operators };
    try {
      const { schedule } = lowered(program, cluster, plan, request);
      schedules.set(operators, schedule);
      return schedule.makespan > deadline ? Number.POSITIVE_INFINITY : objectiveValue(cluster, schedule, objective);
    } catch (error) {
      if (error instanceof CompileError) return Number.POSITIVE_INFINITY;
      throw error;
    }
  };
  return { judge, schedules };
}

/** A policy's plan, lowered and simulated, or what the user could mend. */
export async function judge(
  program: Program<'imported'>,
  cluster: Cluster,
  policy: string,
  request: Request = {},
): Promise<Judged> {
  try {
    const asked = askedOf(policy, request);
    const { judge, schedules } = judging(program, cluster, asked);
    const plan = await makePlan(program, cluster, policy, asked, judge);
    const schedule = schedules.get(plan.operators) ?? lowered(program, cluster, plan, asked).schedule;
    return { policy, plan, schedule };
  } catch (error) {
    if (error instanceof CompileError) return { policy, error };
    throw error;
  }
}

/** Of a schedule, to be small. @throws objective where powers are unknown */
export function objectiveValue(
  cluster: Cluster,
  schedule: Schedule,
  objective: Request['objective'] = 'latency',
): number {
  if (objective === 'latency') return schedule.makespan;
  const { throughput, joules } = summarise(cluster, schedule);
  if (objective === 'throughput') return 1 / throughput;
  if (joules === null) throw unknownPower(cluster);
  return joules;
}

export const unknownPower = ({ devices }: Cluster): CompileError => {
  const unknown = devices.filter(({ power }) => !power).map(({ name }) => name);
  return new CompileError('objective', `energy cannot be compared: the power of ${unknown.join(', ')} is not known`, {
    at: ['cluster, devices'],
    hint: 'give each device a power: { idle: 2 W, compute: 10 W }, or leave energy out',
  });
};

function infeasible(judged: readonly Judged[], deadline: number | undefined): CompileError {
  const refused = judged.filter((one): one is Refused => !isPlanned(one));
  const [only] = refused;
  if (judged.length === 1 && only) return only.error;
  const planned = judged.filter(isPlanned).sort((a, b) => a.schedule.makespan - b.schedule.makespan);
  const [fastest] = planned;
  const reasons = refused.map(({ policy, error }) => `${policy}: ${error.message}`);
  if (!fastest || deadline === undefined) {
    const hint = 'give devices more memory or links, or ask for less';
    return new CompileError('infeasible', 'no policy has a plan', { at: reasons, hint });
  }
  const { makespan } = fastest.schedule;
  return new CompileError(
    'infeasible',
    `the fastest plan (${fastest.policy}) needs ${formatMilliseconds(makespan)}, the deadline is ${formatMilliseconds(deadline)}: ${formatMilliseconds(makespan - deadline)} too long`,
    { at: reasons, hint: 'allow more time, a faster link or device, or a smaller model' },
  );
}

/** Share by which plans differ no more than predictions are off, and searches from each other. */
export const TOLERANCE = 0.03;

/**
 * The best plan within the deadline. Of those that differ by less than predictions are off it is the one with the fewest
 * transfers, which depends least on what else the network does; of equal ones the better, then the first.
 * @throws infeasible, objective
 */
export function best(cluster: Cluster, judged: readonly Judged[], { objective, deadline }: Request = {}): Planned {
  const allowed = judged.filter(isPlanned).filter(({ schedule }) => schedule.makespan <= (deadline ?? Infinity));
  const valued = allowed.map((one) => ({ one, value: objectiveValue(cluster, one.schedule, objective) }));
  const least = Math.min(...valued.map(({ value }) => value));
  const transfers = ({ schedule }: Planned) => schedule.channels.length;
  const [first] = valued
    .filter(({ value }) => value <= (1 + TOLERANCE) * least)
    .sort((a, b) => transfers(a.one) - transfers(b.one) || a.value - b.value);
  if (!first) throw infeasible(judged, deadline);
  return first.one;
}

/** The plan of a policy as users write it. @throws policy, infeasible, objective, and what the policy throws */
export async function planBy(
  program: Program<'imported'>,
  cluster: Cluster,
  policy: string,
  request: Request = {},
): Promise<Plan> {
  if (policy !== AUTO && request.deadline === undefined) {
    const asked = askedOf(policy, request);
    return makePlan(program, cluster, policy, asked, judging(program, cluster, asked).judge);
  }
  const judged: Judged[] = [];
  const names = policy === AUTO ? comparable(program) : [policy];
  for (const name of names) judged.push(await judge(program, cluster, name, request));
  const { plan } = best(cluster, judged, request);
  return policy === AUTO ? { ...plan, policy: `${AUTO}: ${plan.policy}` } : plan;
}
