/** Several plans for one build: each for a range of bandwidths, and one that needs no peer. */
import type { BundlePlan } from '../codegen/write-bundle.ts';
import { type BandwidthRow, bandwidthRows, bandwidthTable, withBandwidth } from './bandwidths.ts';
import type { Cluster } from './cluster/cluster.ts';
import { formatBytes } from './cluster/units.ts';
import { CompileError } from './error.ts';
import type { Program } from './ir/program.ts';
import { lower, type StageOptions } from './lower.ts';
import type { Plan } from './planning/plan.ts';
import type { Request } from './planning/request.ts';
import { AUTO, comparable, planBy } from './policies.ts';

export interface SeveralPlans {
  /** Given ones; else policies make them. */
  readonly plans?: readonly Plan[] | undefined;
  /** Of links, in bytes per second, ascending; those at which plans are compared. */
  readonly bandwidths?: readonly number[] | undefined;
  /** Adds a plan that needs no peer, unless one of the others is it. */
  readonly fallback?: boolean | undefined;
  /** Makes plans where none are given; all that need no argument. */
  readonly policy?: string | undefined;
  readonly request?: Request | undefined;
  readonly notice?: ((text: string) => void) | undefined;
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

/** As shares of the cluster's bandwidth: where given plans are compared unless bandwidths are asked for. */
const AROUND = Array.from({ length: 17 }, (_, i) => 2 ** (i - 8));

export async function severalPlans(
  program: Program<'imported'>,
  stages: StageOptions,
  options: SeveralPlans,
): Promise<BundlePlan[]> {
  const { cluster } = stages;
  const nominal = bandwidthOf(cluster);
  const chosen = nominalFirst(ranges(await rowsOf(program, cluster, options)), nominal);
  const plans = chosen.map(({ plan, bandwidth }): BundlePlan => {
    const [from, to] = bandwidth;
    // The order of steps, and what is predicted of them, are for the bandwidths at which the plan is used.
    const isUsed = from <= nominal && nominal <= to;
    const there = isUsed ? cluster : withBandwidth(cluster, () => Math.sqrt(from * to));
    return { ...lower(program, { ...stages, cluster: there, plan }), bandwidth };
  });
  const { inputs, outputs } = cluster;
  if (options.fallback && !plans.some((one) => isAlone(one, inputs))) {
    if (inputs !== outputs) throw noFallback(inputs, outputs);
    const plan = await planBy(program, cluster, 'local', options.request);
    plans.push({ ...lower(program, { ...stages, plan: { ...plan, policy: 'fallback: local' } }), bandwidth: null });
    const error = memoryError(plans, cluster);
    if (error) {
      options.notice?.(`no plan for ${inputs} alone: ${error.message}`);
      plans.pop();
    }
  }
  const error = memoryError(plans, cluster);
  if (error) throw error;
  return plans;
}

async function rowsOf(
  program: Program<'imported'>,
  cluster: Cluster,
  options: SeveralPlans,
): Promise<readonly BandwidthRow[]> {
  const { plans, policy, request = {}, progress } = options;
  const nominal = bandwidthOf(cluster);
  const bandwidths =
    options.bandwidths ?? (plans && plans.length > 1 ? AROUND.map((share) => share * nominal) : [nominal]);
  const shared = { ...request, ...(progress && { progress }) };
  if (!plans) {
    const names = policy === undefined || policy === AUTO ? comparable(program) : [policy];
    return (await bandwidthTable(program, cluster, names, bandwidths, shared)).rows;
  }
  const planned = plans.map((plan) => ({ policy: plan.policy, ...lower(program, { cluster, plan }) }));
  return bandwidthRows(program, cluster, planned, bandwidths, shared);
}

const bandwidthOf = ({ links }: Cluster): number => Math.min(...links.map(({ bandwidth }) => bandwidth));

interface Ranged {
  readonly plan: Plan;
  readonly bandwidth: readonly [number, number];
}

/** Between the last bandwidth of a row and the first of the next, each has half, by their logarithm. */
const ranges = (rows: readonly BandwidthRow[]): Ranged[] =>
  rows.map(({ from, to, chosen: { plan } }, i) => {
    const [before, after] = [rows[i - 1]?.to ?? from, rows[i + 1]?.from ?? to];
    return { plan, bandwidth: [Math.sqrt(before * from), Math.sqrt(to * after)] };
  });

const nominalFirst = (all: readonly Ranged[], nominal: number): Ranged[] => {
  const outside = ({ bandwidth: [from, to] }: Ranged) => Math.max(1, from / nominal, nominal / to);
  const first = all.reduce((a, b) => (outside(b) < outside(a) ? b : a));
  return [first, ...all.filter((one) => one !== first)];
};

const isAlone = ({ schedule }: BundlePlan, device: string): boolean =>
  schedule.program.placement?.outputs === device &&
  schedule.devices.every((own) => own.device === device || own.steps.length === 0);

/** Weights of all plans are held at once, values of one. */
function memoryError(plans: readonly BundlePlan[], { devices }: Cluster): CompileError | null {
  for (const { name, memory } of devices) {
    const own = plans.flatMap(({ schedule }) => schedule.devices.filter(({ device }) => device === name));
    const weights = own.reduce((sum, { weightBytes }) => sum + weightBytes, 0);
    const needed = weights + Math.max(...own.map(({ peakBytes, weightBytes }) => peakBytes - weightBytes));
    if (memory === undefined || memory === null || needed <= memory) continue;
    const what = `${name} needs ${formatBytes(needed)} for ${plans.length} plans, ${formatBytes(memory)} allowed`;
    return new CompileError('device-memory', what, {
      at: ['the plans of this build'],
      hint: 'give it more memory, or ask for fewer plans: a smaller range of --bandwidth, no --fallback',
    });
  }
  return null;
}

const noFallback = (inputs: string, outputs: string) =>
  new CompileError(
    'fallback',
    `${inputs} has the inputs and ${outputs} wants the outputs: none of them can go on alone`,
    {
      hint: 'leave out --fallback, or let one device have both',
    },
  );
