/** `shardonnx run`: a whole build on this machine, one process a device. */

import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { beginOf, chromeTrace, type NamedTensors, openBundle, stream, writeOutputs } from '../../runtime/index.ts';
import { formatBytes } from '../cluster/units.ts';
import { comparisonData } from '../compare.ts';
import { inputOption, positive, positiveInteger, transportOption } from './flags.ts';
import { readInputs } from './inputs.ts';
import { type OutputOptions, printResult, progress } from './output.ts';
import { compareWithReference, formatComparison } from './reference.ts';
import { table } from './table.ts';
import { allowedOf } from './tolerance.ts';
import { formatReport, readTimeline, reportOf } from './trace-report.ts';

interface Options extends OutputOptions {
  readonly input: readonly string[];
  readonly repeat: number;
  readonly inFlight: number;
  readonly trace?: string;
  readonly transport: 'memory' | 'tcp';
  readonly verify?: string;
  readonly output?: string;
  readonly threads?: number;
  readonly timeout: number;
}

/** Runs the bundle `repeat` times on the same inputs. */
async function measure(build: string, options: Options) {
  const { transport, threads, timeout, inFlight, repeat } = options;
  const trace = options.trace !== undefined;
  const bundle = await openBundle(build, { transport, timeout, inFlight, trace, ...(threads ? { threads } : {}) });
  const bar = progress();
  try {
    const inputs = await readInputs(bundle.inputs, options.input);
    const times: number[] = [];
    let outputs: NamedTensors = {};
    const began = performance.now();
    for await (const outcome of stream(repeat, inFlight, () => bundle.infer(inputs))) {
      outputs = outcome.outputs;
      times.push(outcome.ms);
      bar.update('inferences', times.length, repeat);
    }
    const throughput = (1e3 * repeat) / (performance.now() - began);
    return { inputs, outputs, times, throughput, stats: await bundle.stats(), traces: await bundle.trace() };
  } finally {
    bar.stop();
    await bundle.close();
  }
}

async function run(build: string, options: Options): Promise<void> {
  const predicted = options.trace === undefined ? undefined : await readTimeline(build);
  const { inputs, outputs, times, throughput, stats, traces } = await measure(build, options);
  if (options.trace !== undefined) {
    await writeFile(options.trace, JSON.stringify(chromeTrace(traces, beginOf(traces))));
  }
  const traced = predicted && reportOf(traces, predicted);
  if (options.output) await writeOutputs(options.output, outputs);
  const { verify } = options;
  const allowed = verify ? await allowedOf(build, verify) : undefined;
  const verified = verify ? await compareWithReference(verify, inputs, outputs, allowed?.tolerance) : [];
  const ok = verified.every((output) => output.ok);
  if (!ok) process.exitCode = 1;
  const sorted = times.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  const latencyMs = { median: at(0.5), p95: at(0.95) };
  const rows = Object.entries(stats).map(([device, { bytesSent, bytesReceived, peakBytes }]) => [
    device,
    formatBytes(bytesSent),
    formatBytes(bytesReceived),
    peakBytes === null ? '–' : formatBytes(peakBytes),
  ]);
  const text = [
    table(['device', 'sent', 'received', 'peak memory'], rows),
    `${options.repeat} inference${options.repeat === 1 ? '' : 's'}: median ${latencyMs.median.toFixed(1)} ms, 95 % within ${latencyMs.p95.toFixed(1)} ms`,
    ...(options.inFlight > 1 ? [`${throughput.toFixed(1)} inferences/s with ${options.inFlight} in flight`] : []),
    ...(traced ? [formatReport(traced)] : []),
    ...Object.entries(outputs).map(([name, { type, dims }]) => `output ${name}: ${type}[${dims}]`),
    ...verified.map(formatComparison),
    ...(allowed?.why ? [allowed.why] : []),
  ].join('\n');
  const described = Object.entries(outputs).map(([name, { type, dims }]) => ({ name, dtype: type, shape: dims }));
  const data = {
    ok,
    devices: stats,
    latencyMs,
    throughput,
    ...(traced ? { trace: traced } : {}),
    outputs: described,
    ...(options.verify ? { verified: verified.map(comparisonData) } : {}),
  };
  printResult(options, data, text);
}

export const addRun = (program: Command): void => {
  program
    .command('run')
    .description('run a build on this machine, one process a device')
    .argument('<build>', 'build folder')
    .addOption(inputOption())
    .option('-n, --repeat <count>', 'inferences', positiveInteger('--repeat'), 1)
    .option('--in-flight <count>', 'inferences at once', positiveInteger('--in-flight'), 1)
    .addOption(transportOption('tcp'))
    .option(
      '--trace <file>',
      'write what devices did and when, for ui.perfetto.dev, and print it beside the prediction',
    )
    .option('--verify <model>', 'compare the outputs with onnxruntime on this ONNX file')
    .option('-o, --output <folder>', 'write the outputs there as .npy')
    .option('--threads <count>', "onnxruntime's threads of each device", positiveInteger('--threads'))
    .option('--timeout <seconds>', 'for every wait during an inference', positive('--timeout'), 30)
    .option('--json', 'print one JSON object')
    .action(run);
};
