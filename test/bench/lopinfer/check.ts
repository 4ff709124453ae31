/** Our model of the authors' layer cut against their own predictions, under three readings of what operators cost. */
import type { Program } from '../../../compiler/ir/program.ts';
import { clusterAt, loggedCosts, type Scale } from './costs.ts';
import type { Fit } from './link.ts';
import type { Flow } from './log.ts';
import { type Options, publishedCut } from './methods.ts';
import type { Predicted } from './results.ts';

/** Their layer cut. */
const METHOD = 'DSCCS';

export interface Check {
  readonly environment: string;
  /** Where the operators' costs are from. */
  readonly costs: string;
  readonly rows: number;
  /** Relative to their prediction. */
  readonly mean: number;
  readonly worst: number;
  /** MB/s of the worst row. */
  readonly worstAt: number;
  /** Lowest bandwidth, MB/s, at which anything crosses the link; infinite: at none. */
  readonly crossesAt: { readonly theirs: number; readonly ours: number };
}

interface Logged {
  readonly flow: Flow;
  readonly program: Program<'imported'>;
  readonly predicted: readonly Predicted[];
  readonly fits: readonly Fit[];
  readonly goodput: number;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Scales the log so that all of it takes what a run's predictions say; undefined where they say nothing. */
function scaleTo({ flow }: Logged, local: readonly Predicted[], fixed: Fit | undefined): Scale | undefined {
  if (local.length === 0 || !fixed) return undefined;
  const sum = (key: 'robotMs' | 'serverMs') => flow.steps.reduce((total, step) => total + step[key], 0);
  return { robot: mean(local.map(({ ms }) => ms)) / sum('robotMs'), server: fixed.fixed / sum('serverMs') };
}

async function compare(logged: Logged, rows: readonly Predicted[], costs: string, scale: Scale): Promise<Check> {
  // The power decides nothing here.
  const options: Options = { power: { computing: 0, waiting: 0 }, transfer: 'float32', halo: 'exact' };
  const ours = await Promise.all(
    rows.map(({ bandwidth }) =>
      publishedCut(
        logged.program,
        clusterAt(bandwidth * 1e6 * logged.goodput),
        loggedCosts(logged.flow, scale),
        options,
      ),
    ),
  );
  const errors = rows.map(({ ms }, i) => Math.abs(ours[i]!.seconds * 1000 - ms) / ms);
  const worst = Math.max(...errors);
  const lowest = (crosses: (i: number) => boolean) =>
    Math.min(...rows.flatMap(({ bandwidth }, i) => (crosses(i) ? [bandwidth] : [])));
  return {
    environment: rows[0]!.environment,
    costs,
    rows: rows.length,
    mean: mean(errors),
    worst,
    worstAt: rows[errors.indexOf(worst)]!.bandwidth,
    crossesAt: { theirs: lowest((i) => rows[i]!.moved > 0), ours: lowest((i) => ours[i]!.bytes > 0) },
  };
}

/** For each environment: costs as logged; scaled to the runs of `local` and `full-offload`; scaled to this run's own totals. */
export async function checkLayerCut(logged: Logged): Promise<Check[]> {
  const { predicted, fits } = logged;
  const checks: Check[] = [];
  for (const environment of new Set(predicted.map((row) => row.environment))) {
    const rows = predicted.filter((row) => row.environment === environment && row.method === METHOD);
    if (rows.length === 0) continue;
    const fitOf = (method: string) => fits.find((fit) => fit.environment === environment && fit.method === method);
    const whole = predicted.filter(({ method }) => method === 'local');
    const still = rows.filter(({ moved }) => moved === 0);
    const scales: Record<string, Scale | undefined> = {
      'as logged': { robot: 1, server: 1 },
      'scaled to local and full-offload': scaleTo(logged, whole, fitOf('full-offload')),
      'scaled to this run': scaleTo(logged, still, fitOf(METHOD)),
    };
    for (const [costs, scale] of Object.entries(scales)) {
      if (scale) checks.push(await compare(logged, rows, costs, scale));
    }
  }
  return checks;
}
