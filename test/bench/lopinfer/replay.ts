/** Everything the bench knows of one logged model, and every method at every bandwidth. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CompileError } from '../../../compiler/error.ts';
import type { Program } from '../../../compiler/ir/program.ts';
import { tensorOf, wholeValue } from '../../../compiler/ir/program.ts';
import { verifyProgram } from '../../../compiler/ir/verify.ts';
import { valueBytes } from '../../../compiler/planning/costs/roofline.ts';
import { type Check, checkLayerCut } from './check.ts';
import { clusterAt, loggedCosts } from './costs.ts';
import { type Fit, fitLinks, goodputOf } from './link.ts';
import { type Flow, flowOf, readLog } from './log.ts';
import type { BoardPower, Method, Outcome } from './methods.ts';
import { match, programOf } from './program.ts';
import { type Distribution, type Power, type Predicted, readDistribution, readResults } from './results.ts';

export interface Replay {
  readonly flow: Flow;
  readonly program: Program<'imported'>;
  /** The zoo's model of the same geometry. */
  readonly zoo: string;
  readonly predicted: readonly Predicted[];
  readonly powers: readonly Power[];
  readonly power: BoardPower;
  readonly distribution: Distribution;
  /** Bytes of the model's input and output. */
  readonly payload: number;
  readonly fits: readonly Fit[];
  /** Share of the nominal bandwidth that carries payload. */
  readonly goodput: number;
  readonly checks: readonly Check[];
}

/** Mean over a method's runs; NaN without any. */
function meanPower(powers: readonly Power[], method: string): number {
  const own = powers.filter((power) => power.method === method);
  return own.reduce((sum, { watts }) => sum + watts, 0) / own.length;
}

/** Beside the results, else the evidence's own. */
function distributionFile(results: string, evidence: string): string {
  const beside = join(dirname(results), 'bandwidth.csv');
  return existsSync(beside) ? beside : join(evidence, 'bandwidth.csv');
}

export interface Sources {
  readonly operators: string;
  readonly results: string;
  /** The folder of evidence. */
  readonly evidence: string;
  /** Instead of what the predictions follow. */
  readonly goodput?: number | undefined;
}

/** @throws operator-log, results-table */
export async function readReplay({ operators, results, evidence, goodput: given }: Sources): Promise<Replay> {
  const flow = flowOf(readLog(operators));
  const found = match(flow);
  const program = programOf(flow, found);
  verifyProgram(program, 'import');
  const ends = [...program.inputs, ...program.outputs].map((name) => wholeValue(tensorOf(program, name)));
  const payload = ends.reduce((sum, value) => sum + valueBytes(program, value), 0);
  const { predicted, powers } = readResults(results, flow.model);
  const fits = fitLinks(predicted, payload);
  const goodput = given ?? goodputOf(fits, 'full-offload', payload) ?? goodputOf(fits, 'DSCCS', payload);
  if (goodput === undefined) {
    throw new CompileError('results-table', `${flow.model}: no rows in which everything crosses the link`, {
      at: [results],
      hint: 'say with --goodput which share of the bandwidth carries payload; 0.9 in the published runs',
    });
  }
  return {
    flow,
    program,
    zoo: found.name,
    predicted,
    powers,
    power: { computing: meanPower(powers, 'local'), waiting: meanPower(powers, 'full-offload') },
    distribution: readDistribution(distributionFile(results, evidence)),
    payload,
    fits,
    goodput,
    checks: await checkLayerCut({ flow, program, predicted, fits, goodput }),
  };
}

/** By method's name, at one bandwidth. */
export interface Row {
  /** 10^6 bytes per second. */
  readonly bandwidth: number;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** Every method at every bandwidth that any environment has, in ascending order. */
export async function evaluate(
  replay: Replay,
  methods: readonly Method[],
  progress: (done: number, of: number) => void = () => {},
): Promise<Row[]> {
  const { program, flow, power, goodput, distribution } = replay;
  const bandwidths = [...new Set([...distribution.values()].flatMap((shares) => [...shares.keys()]))];
  const costs = loggedCosts(flow);
  const rows: Row[] = [];
  for (const bandwidth of bandwidths.sort((a, b) => a - b)) {
    const outcomes = new Map<string, Outcome>();
    for (const { name, planner, options } of methods) {
      const cluster = clusterAt(bandwidth * 1e6 * goodput);
      outcomes.set(name, await planner(program, cluster, costs, { ...options, power }));
    }
    rows.push({ bandwidth, outcomes });
    progress(rows.length, bandwidths.length);
  }
  return rows;
}
