/** `shardonnx compile`. */
import { type Command, Option } from 'commander';
import { loadCluster } from '../cluster/cluster.ts';
import { formatBytes } from '../cluster/units.ts';
import { compile, ENGINES, type Engine } from '../compile.ts';
import { CompileError } from '../error.ts';
import { policies, policyUsage } from '../planning/policies/index.ts';
import { type AccuracyFlags, accuracyOf, encodedData, formatEncoded, withAccuracy } from './accuracy.ts';
import { dimensions, dimOption, repeatable } from './flags.ts';
import { loadPass } from './load-pass.ts';
import { notice, type OutputOptions, printResult, progress } from './output.ts';
import { readPlan } from './plan-file.ts';
import { interruptible, type RequestFlags, withRequest } from './request.ts';
import { table } from './table.ts';

interface Options extends OutputOptions, RequestFlags, AccuracyFlags {
  readonly cluster: string;
  readonly plan?: string;
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

async function run(model: string, options: Options): Promise<void> {
  const bar = progress();
  try {
    const cluster = await loadCluster(options.cluster);
    const accuracy = accuracyOf(options, bar.update);
    const common = {
      model,
      cluster,
      plan: options.plan ? await readPlan(options.plan) : undefined,
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
    const { schedule, plan, devices, encoded } = compiled;
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

export const addCompile = (program: Command): void => {
  const command = program
    .command('compile')
    .description('compile a model into one bundle per device')
    .argument('<model>', 'ONNX file')
    .requiredOption('-c, --cluster <file>', 'cluster file (YAML or JSON)')
    .requiredOption('-o, --output <folder>', 'build folder; replaced if it is an earlier build')
    .addOption(new Option('--plan <file>', 'plan file (JSON)').conflicts('policy'))
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
