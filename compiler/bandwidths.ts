/** Plans over a range of bandwidths: where another one takes over. */
import type { Cluster } from './cluster/cluster.ts';
import { formatBandwidth } from './cluster/units.ts';
import type { Program } from './ir/program.ts';
import { type Costs, costsOf } from './planning/costs/costs.ts';
import type { Request } from './planning/request.ts';
import type { Schedule } from './planning/schedule.ts';
import { simulateSteps } from './planning/simulate.ts';
import { best, isPlanned, type Judged, judge, objectiveValue, type Planned, TOLERANCE } from './policies.ts';

/** The cluster with other bandwidths, in bytes per second. */
export const withBandwidth = (cluster: Cluster, change: (bandwidth: number) => number): Cluster => ({
  ...cluster,
  links: cluster.links.map((link) => ({ ...link, bandwidth: change(link.bandwidth) })),
});

/** The same steps in the same order over other links: what a bundle does when its network changes. */
function elsewhere(schedule: Schedule, cluster: Cluster, costs: Costs): Schedule {
  const steps = new Map(schedule.devices.map((device) => [device.device, device.steps]));
  return simulateSteps(schedule.program, cluster, [steps], costs);
}

/** Where another plan becomes the better one. */
export interface Flip {
  /** Of every link's bandwidth. */
  readonly factor: number;
  readonly policy: string;
}

/** Bandwidths that are looked at, as shares of what the cluster has. */
const FURTHEST = 256;
const STEPS_PER_DOUBLING = 4;
const CLOSE = 1.01;

/**
 * The nearest bandwidths below and above at which one of the other plans is better than the chosen one, by more than predictions
 * are off; null: none in sight.
 */
export function flipsOf(
  program: Program<'imported'>,
  cluster: Cluster,
  judged: readonly Judged[],
  chosen: Planned,
  { objective, deadline = Number.POSITIVE_INFINITY }: Request = {},
): { below: Flip | null; above: Flip | null } {
  const costs = costsOf(program, cluster);
  const others = judged.filter(isPlanned).filter((one) => one !== chosen);
  const betterAt = (factor: number): string | null => {
    const changed = withBandwidth(cluster, (bandwidth) => bandwidth * factor);
    const value = (one: Planned) => {
      const schedule = elsewhere(one.schedule, changed, costs);
      return schedule.makespan > deadline ? Number.POSITIVE_INFINITY : objectiveValue(changed, schedule, objective);
    };
    const valued = others.map((one) => ({ one, value: value(one) })).sort((a, b) => a.value - b.value);
    return valued[0] && valued[0].value < value(chosen) / (1 + TOLERANCE) ? valued[0].one.policy : null;
  };
  const nearest = (direction: 1 | -1): Flip | null => {
    const step = 2 ** (direction / STEPS_PER_DOUBLING);
    let same = 1;
    for (let factor = step; Math.max(factor, 1 / factor) <= FURTHEST; factor *= step) {
      if (betterAt(factor) === null) {
        same = factor;
        continue;
      }
      let flipped = factor;
      while (Math.max(same / flipped, flipped / same) > CLOSE) {
        const middle = Math.sqrt(same * flipped);
        if (betterAt(middle) === null) same = middle;
        else flipped = middle;
      }
      return { factor: flipped, policy: betterAt(flipped)! };
    }
    return null;
  };
  return { below: nearest(-1), above: nearest(1) };
}

/** A plan and the bandwidths for which it is kept. */
export interface BandwidthRow {
  /** Bytes per second; the first and the last at which it was judged. */
  readonly from: number;
  readonly to: number;
  readonly chosen: Planned;
  /** At each bandwidth of the row; to be small. */
  readonly values: readonly { readonly bandwidth: number; readonly value: number; readonly best: number }[];
}

export interface BandwidthTable {
  readonly rows: readonly BandwidthRow[];
  /** By policy: its own plan's value at each bandwidth; NaN where it had none. */
  readonly policies: Readonly<Record<string, readonly number[]>>;
}

export interface BandwidthOptions extends Request {
  /** Share by which a row's plan may be worse than the best one found: each further plan of a build takes memory, and switches cost. */
  readonly tolerance?: number;
  readonly progress?: (what: string, done: number, total: number) => void;
}

/** A plan, and its value at every bandwidth. */
interface Valued {
  readonly planned: Planned;
  readonly values: readonly number[];
}

/**
 * Plans by policies at each bandwidth (all links have it), then as few of these plans as cover the range: a plan made for one
 * bandwidth is kept as long as it is within the tolerance of the best at the next.
 */
export async function bandwidthTable(
  program: Program<'imported'>,
  cluster: Cluster,
  names: readonly string[],
  bandwidths: readonly number[],
  { tolerance = TOLERANCE, progress = () => {}, ...request }: BandwidthOptions = {},
): Promise<BandwidthTable> {
  const { objective } = request;
  const clusters = bandwidths.map((bandwidth) => withBandwidth(cluster, () => bandwidth));
  const plans = new Map<string, Planned>();
  const policies: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
  for (const [i, here] of clusters.entries()) {
    const judged: Judged[] = [];
    for (const [n, name] of names.entries()) {
      const what = `planning: ${name} at ${formatBandwidth(bandwidths[i]!)}`;
      progress(what, i * names.length + n, clusters.length * names.length);
      judged.push(await judge(program, here, name, request));
    }
    best(here, judged, request);
    for (const one of judged) {
      policies[one.policy]!.push(isPlanned(one) ? objectiveValue(here, one.schedule, objective) : Number.NaN);
      if (isPlanned(one)) plans.set(keyOf(one), one);
    }
  }
  return {
    rows: bandwidthRows(program, cluster, [...plans.values()], bandwidths, { ...request, tolerance }),
    policies,
  };
}

/** As few of these plans as cover the bandwidths within the tolerance. */
export function bandwidthRows(
  program: Program<'imported'>,
  cluster: Cluster,
  plans: readonly Planned[],
  bandwidths: readonly number[],
  { tolerance = TOLERANCE, objective, deadline = Number.POSITIVE_INFINITY }: BandwidthOptions = {},
): BandwidthRow[] {
  const clusters = bandwidths.map((bandwidth) => withBandwidth(cluster, () => bandwidth));
  const costs = costsOf(program, cluster);
  const valued = plans.map((planned): Valued => {
    const schedules = clusters.map((here) => elsewhere(planned.schedule, here, costs));
    const values = schedules.map((schedule, i) =>
      schedule.makespan <= deadline ? objectiveValue(clusters[i]!, schedule, objective) : Number.POSITIVE_INFINITY,
    );
    return { planned, values };
  });
  return cover(bandwidths, valued, tolerance);
}

/** From each row's first bandwidth on the plan that stays within the tolerance furthest: no cover has fewer rows. */
function cover(bandwidths: readonly number[], valued: readonly Valued[], tolerance: number): BandwidthRow[] {
  const least = bandwidths.map((_, i) => Math.min(...valued.map(({ values }) => values[i]!)));
  const rows: BandwidthRow[] = [];
  for (let first = 0; first < bandwidths.length; ) {
    const endOf = ({ values }: Valued) => {
      const end = values.findIndex((value, i) => i >= first && value > (1 + tolerance) * least[i]!);
      return end < 0 ? bandwidths.length : end;
    };
    const end = Math.max(...valued.map(endOf));
    const sum = ({ values }: Valued) => values.slice(first, end).reduce((a, b) => a + b, 0);
    const furthest = valued.filter((one) => endOf(one) === end);
    const { planned, values } = furthest.reduce((a, b) => (sum(b) < sum(a) ? b : a));
    const covered = bandwidths.slice(first, end);
    rows.push({
      from: covered[0]!,
      to: covered.at(-1)!,
      chosen: planned,
      values: covered.map((bandwidth, i) => ({ bandwidth, value: values[first + i]!, best: least[first + i]! })),
    });
    first = end;
  }
  return rows;
}

/** Two plans are one if they say the same and their steps come in the same order. */
const keyOf = ({ plan, schedule }: Planned): string =>
  JSON.stringify([
    plan.operators,
    schedule.devices.map(({ steps }) =>
      steps.map((step) => (step.kind === 'segment' ? step.operators.map(({ origin }) => origin) : step.channel)),
    ),
  ]);
