/** `shardonnx compile`. */
import type { Command } from 'commander';
import { loadCluster } from '../cluster/cluster.ts';
import { formatBandwidth, formatBytes } from '../cluster/units.ts';
import { type Compiled, compile, ENGINES, type Engine } from '../compile.ts';
import { CompileError } from '../error.ts';
import type { Plan } from '../planning/plan.ts';
import { policies, policyUsage } from '../planning/policies/index.ts';
import { type AccuracyFlags, accuracyOf, encodedData, formatEncoded, withAccuracy } from './accuracy.ts';
import { bandwidthRange } from './bandwidth-range.ts';
import { dimensions, dimOption, repeatable } from './flags.ts';
import { loadPass } from './load-pass.ts';
import { notice, type OutputOptions, printResult, progress } from './output.ts';
import { readPlan } from './plan-file.ts';
import { interruptible, type RequestFlags, withRequest } from './request.ts';
import { table } from './table.ts';

interface Options extends OutputOptions, RequestFlags, AccuracyFlags {
  readonly cluster: string;
  readonly plan: readonly string[];
  readonly bandwidth?: string;
  readonly fallback?: boolean;
  readonly policy?: string;
  readonly pass: readonly string[];
  readonly dump?: string;
  readonly dim: readonly string[];
  readonly output: string;
  readonly deploy: readonly string[];
}

/** `compose,systemd`, perhaps given several times. @throws flag */
function enginesOf(given: readonly string[]): Engine[] {
  return given
    .flatMap((names) => names.split(','))
    .map((name) => {
      const engine = ENGINES.find((one) => one === name.trim());
      if (engine) return engine;
      throw new CompileError('flag', `--deploy ${name}`, { hint: `there are ${ENGINES.join(', ')}` });
    });
}

/** undefined where one plan is asked for. */
function severalOf({ bandwidth, fallback }: Options, plans: readonly Plan[]) {
  if (bandwidth === undefined && !fallback && plans.length < 2) return undefined;
  return {
    ...(plans.length > 0 && { plans }),
    ...(bandwidth !== undefined && { bandwidths: bandwidthRange(bandwidth) }),
    // A range of bandwidths has an end: below it the device may go on alone.
    fallback: fallback ?? bandwidth !== undefined,
  };
}

const onePlanOnly = () =>
  new CompileError('flag', 'what crosses is encoded for one plan, several are asked for', {
    hint: 'leave out the accuracy, or --bandwidth, --fallback and all but one --plan',
  });

async function run(model: string, options: Options): Promise<void> {
  const bar = progress();
  try {
    const cluster = await loadCluster(options.cluster);
    const accuracy = accuracyOf(options, bar.update);
    const plans = await Promise.all(options.plan.map(readPlan));
    const several = severalOf(options, plans);
    if (several && accuracy) throw onePlanOnly();
    const common = {
      model,
      cluster,
      plan: several ? undefined : plans[0],
      several,
      policy: options.policy,
      accuracy,
      passes: await Promise.all(options.pass.map(loadPass)),
      dump: options.dump,
      output: options.output,
      deploy: enginesOf(options.deploy),
      dims: dimensions(options.dim),
      notice,
      progress: bar.update,
    };
    const compiled = await interruptible(options, (request) => compile({ ...common, request }));
    const { schedule, plan, plans: all, devices, encoded } = compiled;
    bar.stop();
    const bytes = schedule.channels.reduce((sum, channel) => sum + channel.bytes, 0);
    const rows = devices.map(({ device, operators, segments, weightBytes }, i) => {
      const peak = schedule.devices[i]!.peakBytes;
      return [device, String(operators), String(segments), formatBytes(weightBytes), formatBytes(peak)];
    });
    const transfers = `${schedule.channels.length} transfers, ${formatBytes(bytes)}`;
    const text = [
      table(['device', 'operators', 'segments', 'weights', 'peak (predicted)'], rows),
      `${plan.policy}: ${transfers}; predicted ${(schedule.makespan * 1000).toFixed(1)} ms`,
      ...(all.length > 1 ? all.map((one, i) => `plan ${i + 1}: ${describePlan(one)}`) : []),
      ...(encoded && accuracy ? formatEncoded(encoded, accuracy) : []),
      `wrote ${options.output}; try: shardonnx run ${options.output} --verify ${model}`,
    ].join('\n');
    const data = {
      ok: true,
      output: options.output,
      policy: plan.policy,
      transfers: schedule.channels.length,
      bytes,
      predictedMs: schedule.makespan * 1000,
      ...(all.length > 1 && { plans: all.map(planData) }),
      ...(encoded && accuracy && { encoded: encodedData(encoded, accuracy) }),
      devices: Object.fromEntries(
        devices.map(({ device, ...rest }, i) => [device, { ...rest, peakBytes: schedule.devices[i]!.peakBytes }]),
      ),
    };
    printResult(options, data, text);
  } finally {
    bar.stop();
  }
}

type BuiltPlan = Compiled['plans'][number];

const describePlan = ({ plan, bandwidth, schedule }: BuiltPlan): string => {
  const when = bandwidth ? bandwidth.map(formatBandwidth).join(' – ') : 'when peers are lost';
  return `${plan.policy}, ${when}; predicted ${(schedule.makespan * 1000).toFixed(1)} ms`;
};

const planData = ({ plan, bandwidth, schedule }: BuiltPlan) => ({
  policy: plan.policy,
  bitPerSecond: bandwidth?.map((bytes) => bytes * 8) ?? null,
  predictedMs: schedule.makespan * 1000,
});

export const addCompile = (program: Command): void => {
  const command = program
    .command('compile')
    .description('compile a model into one bundle per device')
    .argument('<model>', 'ONNX file')
    .requiredOption('-c, --cluster <file>', 'cluster file (YAML or JSON)')
    .requiredOption('-o, --output <folder>', 'build folder; replaced if it is an earlier build')
    .addOption(
      repeatable('--plan <file>', 'plan file (JSON); of several, devices choose by bandwidth').conflicts('policy'),
    )
    .option('--bandwidth <range>', 'plans for a range of bandwidths, e.g. 1..240Mbit/s; devices choose as they run')
    .option('--fallback', 'add a plan that needs no peer, for when peers are lost')
    .option(
      '--policy <policy>',
      `make the plan: ${policies.map(policyUsage).join(', ')}, auto: the best of them (default: spatial)`,
    );
  withAccuracy(withRequest(command))
    .addOption(repeatable('--pass <file>', 'run a pass of yours after the stage it names'))
    .addOption(repeatable('--deploy <engines>', `write deploy/ for ${ENGINES.join(', ')}`))
    .option('--dump <folder>', 'write the program of every stage there')
    .addOption(dimOption())
    .option('--json', 'print one JSON object')
    .action(run);
};
