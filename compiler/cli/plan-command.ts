/** `shardonnx plan`: every policy's plan side by side, and the chosen one. */
import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { type Flip, flipsOf } from '../bandwidths.ts';
import { type Cluster, loadCluster } from '../cluster/cluster.ts';
import { formatBandwidth, formatBytes } from '../cluster/units.ts';
import { withProfiles } from '../cluster/with-profiles.ts';
import { type Accuracy, type EncodedPlan, planWithin } from '../encode.ts';
import type { Program } from '../ir/program.ts';
import { lower } from '../lower.ts';
import { importModel } from '../onnx/import.ts';
import { costNotices } from '../planning/costs/notices.ts';
import type { BytesPerFloat } from '../planning/encodings.ts';
import type { Platforms } from '../planning/pareto/cut-space.ts';
import { objectiveNames } from '../planning/pareto/pareto.ts';
import { formatPlan } from '../planning/plan.ts';
import { lowerBound } from '../planning/policies/hybrid.ts';
import { policies, policyUsage } from '../planning/policies/index.ts';
import { type Summary, summarise } from '../planning/summary.ts';
import { AUTO, best, comparable, isPlanned, type Judged, judge, type Planned } from '../policies.ts';
import type { Subject } from '../rehearsal.ts';
import { type AccuracyFlags, accuracyOf, encodedData, formatEncoded, withAccuracy } from './accuracy.ts';
import { bandwidthRange, planRange } from './bandwidth-range.ts';
import { dimensions, dimOption, flagError, positiveInteger } from './flags.ts';
import { notice, type OutputOptions, type Progress, printResult, progress } from './output.ts';
import { type ParetoFlags, paretoOf } from './pareto.ts';
import { interruptible, type RequestFlags, withRequest } from './request.ts';
import { table } from './table.ts';

interface Options extends OutputOptions, RequestFlags, AccuracyFlags {
  readonly cluster: string;
  readonly policy: string;
  readonly dim: readonly string[];
  readonly output?: string;
  readonly bandwidth?: readonly number[];
  readonly pareto?: ParetoFlags['pareto'];
  readonly platforms: Platforms;
  readonly stages?: number;
}

const milliseconds = (seconds: number): string => `${(seconds * 1e3).toFixed(seconds < 0.1 ? 2 : 1)} ms`;

/** Figures of one policy, for `--json`. */
function asData(cluster: Cluster, judged: Judged, bound: number): object {
  if (!isPlanned(judged)) {
    const { code, message } = judged.error;
    return { name: judged.policy, error: { code, message } };
  }
  const { seconds, throughput, joules, bytes, peakBytes, hidden, busiest } = summarise(cluster, judged.schedule);
  return {
    name: judged.policy,
    latencyMs: seconds * 1e3,
    throughput,
    energyJ: joules,
    bytes,
    peakBytes,
    hidden,
    busiest,
    lowerBoundMs: bound * 1e3,
  };
}

function row(cluster: Cluster, judged: Judged, chosen: string, deadline = Number.POSITIVE_INFINITY): string[] {
  const name = `${judged.policy === chosen ? '*' : ' '} ${judged.policy}`;
  if (!isPlanned(judged)) return [name, '-', '-', '-', '-', '-', judged.error.message];
  const { seconds, throughput, joules, bytes, peakBytes, busiest } = summarise(cluster, judged.schedule);
  return [
    name,
    `${milliseconds(seconds)}${seconds > deadline ? ', late' : ''}`,
    `${throughput.toFixed(1)} 1/s`,
    joules === null ? '?' : `${joules.toPrecision(3)} J`,
    formatBytes(bytes),
    formatBytes(peakBytes),
    `${busiest.name} ${(busiest.share * 100).toFixed(0)} %`,
  ];
}

/** A flip's bandwidth where there is one link, else its share of all links' bandwidths. */
function flipText({ links }: Cluster, flip: Flip | null, word: 'below' | 'above'): string[] {
  if (!flip) return [];
  const [only, ...others] = links;
  const alone = only && others.length === 0;
  const at = alone ? formatBandwidth(only.bandwidth * flip.factor) : `${flip.factor.toPrecision(3)} × the bandwidths`;
  return [`${word} ${at} ${flip.policy} is better`];
}

/** Why the chosen plan is not faster. */
function explanation({ seconds, busiest, hidden }: Summary, bound: number): string[] {
  const isLink = busiest.name.startsWith('link ');
  return [
    `what binds it: ${busiest.name}, busy ${(busiest.share * 100).toFixed(0)} % of the time${isLink ? '' : ' (computing)'}; ` +
      `${(hidden * 100).toFixed(0)} % of the transfers' time is hidden by computation`,
    `no layout of these operators can be below ${milliseconds(bound)} (${(seconds / bound).toFixed(2)} ×): a relaxation without order, latency and borders`,
  ];
}

const HEAD = ['policy', 'latency', 'throughput', 'energy', 'crosses links', 'peak memory', 'busiest'];

/** What all kinds of answers need. */
interface Question {
  readonly model: string;
  readonly program: Program<'imported'>;
  readonly cluster: Cluster;
  readonly names: readonly string[];
  readonly options: Options;
  readonly bar: Progress;
}

interface Answer {
  readonly judged: readonly Judged[];
  /** One of them. */
  readonly chosen: Planned;
  readonly encoded?: EncodedPlan;
}

/** The best plan within the budget, in its place among the others. */
async function chooseWithin(
  subject: Subject,
  judgeAll: (bytesPerFloat: BytesPerFloat) => Promise<Judged[]>,
  accuracy: Accuracy,
): Promise<Answer> {
  const { program, cluster, request } = subject;
  const tables = new Map<BytesPerFloat, Judged[]>();
  const planner = async (bytesPerFloat: BytesPerFloat) => {
    const judged = await judgeAll(bytesPerFloat);
    tables.set(bytesPerFloat, judged);
    return best(cluster, judged, request).plan;
  };
  const encoded = await planWithin(subject, planner, accuracy);
  const others = tables.get(encoded.bytesPerFloat)!;
  const { policy } = best(cluster, others, request);
  const chosen: Planned = { policy, ...lower(program, { cluster, plan: encoded.plan }) };
  return { encoded, chosen, judged: others.map((one) => (one.policy === policy ? chosen : one)) };
}

/** All policies side by side, and the best of them. */
async function compareAll({ model, program, cluster, names, options, bar }: Question): Promise<void> {
  const accuracy = accuracyOf(options, bar.update);
  const { judged, chosen, encoded } = await interruptible(options, async (request): Promise<Answer> => {
    const judgeAll = async (bytesPerFloat?: BytesPerFloat) => {
      const judged: Judged[] = [];
      for (const [i, name] of names.entries()) {
        bar.update(`planning: ${name}`, i + 1, names.length + 1);
        judged.push(await judge(program, cluster, name, { ...request, bytesPerFloat }));
      }
      return judged;
    };
    if (accuracy?.maxRelativeError) return chooseWithin({ model, program, cluster, request }, judgeAll, accuracy);
    const judged = await judgeAll();
    return { judged, chosen: best(cluster, judged, request) };
  });
  const bound = await lowerBound(program, cluster, { bytesPerFloat: encoded?.bytesPerFloat });
  const flips = flipsOf(program, cluster, judged, chosen, options);
  const { output } = options;
  if (output !== undefined) await writeFile(output, formatPlan(chosen.plan));
  bar.stop();
  const flipping = [...flipText(cluster, flips.below, 'below'), ...flipText(cluster, flips.above, 'above')];
  const text = [
    table(
      HEAD,
      judged.map((one) => row(cluster, one, chosen.policy, options.deadline)),
    ),
    ...(encoded?.bytesPerFloat === 2 ? ['all but the chosen one as if every float32 crossed as float16'] : []),
    `chosen: ${chosen.policy}${options.objective === 'latency' ? '' : `, the best in ${options.objective}`}`,
    ...explanation(summarise(cluster, chosen.schedule), bound),
    ...(judged.length > 1 ? [`what would change the choice: ${flipping.join('; ') || 'no other bandwidth'}`] : []),
    ...(encoded && accuracy ? formatEncoded(encoded, accuracy) : []),
    ...(output === undefined
      ? []
      : [`wrote ${output}; try: shardonnx compile ${model} -c ${options.cluster} --plan ${output} -o build`]),
  ].join('\n');
  const policies = judged.map((one) => asData(cluster, one, bound));
  const measured = encoded && accuracy && { encoded: encodedData(encoded, accuracy) };
  printResult(options, { ok: true, policies, chosen: chosen.policy, flips, ...measured }, text);
}

/** Flags that do not go together, or would change nothing. @throws flag */
function checkFlags(options: Options, command: Command): void {
  const isPareto = options.pareto !== undefined;
  if (isPareto && options.bandwidth) throw flagError('--pareto and --bandwidth are two questions', 'ask one at a time');
  if (options.maxRelativeError !== undefined && (isPareto || options.bandwidth)) {
    const hint = 'leave one out: errors are measured for one plan';
    throw flagError('--max-relative-error with --pareto or --bandwidth', hint);
  }
  const vain = isPareto ? ['policy', 'objective', 'deadline', 'budget'] : ['platforms', 'stages'];
  const given = vain.find((name) => command.getOptionValueSource(name) === 'cli');
  if (given === undefined) return;
  const hint = `leave one out: ${isPareto ? 'a front is of all layer cuts' : `--${given} says which cuts a front is of`}`;
  throw flagError(`--${given} ${isPareto ? 'with' : 'without'} --pareto`, hint);
}

async function run(model: string, options: Options, command: Command): Promise<void> {
  checkFlags(options, command);
  const bar = progress();
  try {
    const cluster = await withProfiles(await loadCluster(options.cluster));
    bar.update(`importing ${model}`, 0, 100);
    const program = await importModel(model, { dims: dimensions(options.dim), notice });
    for (const text of costNotices(program, cluster, options.pareto !== undefined)) notice(text);
    const { output, pareto, bandwidth: bandwidths, platforms, stages } = options;
    const names = options.policy === AUTO ? comparable(program) : options.policy.split(';');
    if (pareto !== undefined) {
      const flags = { pareto, platforms, ...(stages === undefined ? {} : { stages }) };
      const { data, text, csv } = paretoOf(program, cluster, flags);
      if (output !== undefined) await writeFile(output, csv);
      printResult(options, data, output === undefined ? text : `${text}\nwrote ${output}`);
    } else if (bandwidths) {
      const { data, text } = await interruptible(options, (request) =>
        planRange(program, cluster, { names, bandwidths, request, output, progress: bar.update }),
      );
      bar.stop();
      printResult(options, data, text);
    } else await compareAll({ model, program, cluster, names, options, bar });
  } finally {
    bar.stop();
  }
}

export const addPlan = (program: Command): void => {
  const usage = policies.map(policyUsage).join(', ');
  const command = program
    .command('plan')
    .description('predict what every policy comes to, and choose one')
    .argument('<model>', 'ONNX file')
    .requiredOption('-c, --cluster <file>', 'cluster file (YAML or JSON)')
    .option('--policy <policy>', `one of ${usage}; several with ; between them`, AUTO);
  withAccuracy(withRequest(command))
    .option(
      '--bandwidth <range>',
      'a plan for each part of a range of bandwidths, e.g. 1..240Mbit/s or 1..240Mbit/s/24',
      bandwidthRange,
    )
    .option('--pareto [objectives]', `layer cuts that no other beats in ${objectiveNames.join(', ')}`)
    .addOption(
      new Option('--platforms <order>', 'for --pareto: devices in their order, in any order once, or again and again')
        .choices(['fixed', 'once', 'repeat'])
        .default('fixed'),
    )
    .option('--stages <count>', 'for --pareto: most stages', positiveInteger('--stages'))
    .option('-o, --output <file>', 'write the plan there; for --bandwidth a folder of plans, for --pareto a CSV file')
    .addOption(dimOption())
    .option('--json', 'print one JSON object')
    .action(run);
};
