/** `shardonnx profile`: measures this device, or the link between two. */
import { rename, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { formatBytes } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import { type LinkRates, measureLink, serveLink } from '../measure/link.ts';
import { type DeviceReport, measureDevice } from '../measure/measure.ts';
import { importModel } from '../onnx/import.ts';
import { formatProfile, type Point, type Profile } from '../profile/profile.ts';
import { dimensions, dimOption, positive, positiveInteger } from './flags.ts';
import { notice, type OutputOptions, printResult, progress } from './output.ts';
import { table } from './table.ts';

interface Options extends OutputOptions {
  readonly dim: readonly string[];
  readonly output: string;
  readonly deviceThreads: number;
  readonly cores: number;
  readonly budget: number;
  readonly link?: string;
  readonly serve?: string;
  readonly timeout: number;
}

/** Quartiles further apart than this share of the median: something else was running. */
const DISTURBED = 0.15;

const microseconds = (seconds: number): string => `${(seconds * 1e6).toFixed(0)} µs`;
/** Where nothing else was touched, to where most was. */
const range = <T>(levels: readonly T[], figure: (level: T) => number): string =>
  `${(figure(levels[0]!) * 1e6).toFixed(0)}–${microseconds(figure(levels.at(-1)!))}`;
const rate = (bytes: number): string => `${formatBytes(Math.round(bytes))}/s`;
const cold = ({ cold: levels }: Profile['memory']): string => microseconds(levels.at(-1)!.seconds * 2 ** 20);
const points = ({ chains }: Profile): Point[] =>
  Object.values(chains).flatMap(({ plain, blocked }) => [...plain, ...blocked]);

/** A line an operator type: chains that begin with it, points, the best arithmetic rate. */
function typeRows({ chains }: Profile): string[][] {
  const types = new Map<string, { chains: number; points: Point[] }>();
  for (const [key, { plain, blocked }] of Object.entries(chains)) {
    const type = key.split(' ')[0]!;
    const known = types.get(type) ?? { chains: 0, points: [] };
    types.set(type, { chains: known.chains + 1, points: [...known.points, ...plain, ...blocked] });
  }
  return [...types]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([type, found]) => {
      const rates = found.points.map(({ work, seconds }) => (2 * work) / seconds.reduce((sum, one) => sum + one, 1e-9));
      return [type, String(found.chains), String(found.points.length), (Math.max(...rates) / 1e9).toFixed(1)];
    });
}

function deviceText({ profile, seconds, spread }: DeviceReport, output: string): string {
  const { session, messages, memory, machine } = profile;
  return [
    table(['operators begin with', 'kinds', 'sizes', 'best GFLOP/s'], typeRows(profile)),
    `session ${range(session.after, ({ seconds: one }) => one)}, outputs ${rate(session.outputs)}`,
    `message sent ${range(messages.after, ({ send }) => send)}, received ${range(messages.after, ({ receive }) => receive)}; the next session ${microseconds(messages.pause)} later`,
    `memory: joins ${rate(memory.copy)}; what caches have forgotten ${cold(memory)} more a MiB`,
    `${machine.threads} threads, spread ${(100 * spread).toFixed(1)} %, ${seconds.toFixed(1)} s`,
    `wrote ${output}; in the cluster file: devices: { NAME: { profile: ${output} } }`,
  ].join('\n');
}

async function device(models: readonly string[], options: Options): Promise<void> {
  const bar = progress();
  try {
    const dims = dimensions(options.dim);
    const programs = await Promise.all(models.map((model) => importModel(model, { dims, notice })));
    const { deviceThreads: threads, cores, budget, output } = options;
    const report = await measureDevice(programs, { threads, cores, budget, progress: bar.update });
    bar.stop();
    // Beside first: a profile that is only half written would be worse than none.
    await writeFile(`${output}.draft`, formatProfile(report.profile));
    await rename(`${output}.draft`, output);
    const { profile, spread, left, refused, seconds } = report;
    if (left > 0) notice(`${left} tiles were left out after ${budget} s: more with --budget`);
    for (const { key, message } of refused.slice(0, 3)) notice(`not measured: ${key}: ${message.split('\n')[0]}`);
    if (spread > DISTURBED) notice(`something else was running: figures spread by ${(100 * spread).toFixed(0)} %`);
    const { session, messages, memory, machine } = profile;
    const data = {
      ok: true,
      output,
      models: profile.models,
      machine,
      chains: Object.keys(profile.chains).length,
      points: points(profile).length,
      left,
      refused: refused.length,
      spread,
      seconds,
      session,
      messages,
      memory,
    };
    printResult(options, data, deviceText(report, output));
  } finally {
    bar.stop();
  }
}

function linkText({ roundTrip, to, from, burst }: LinkRates): string {
  const megabits = (bytes: number) => `${((8 * bytes) / 1e6).toPrecision(3)} Mbit/s`;
  const sudden = burst > 0 ? `, burst: ${(burst / 1e3).toPrecision(2)} kB` : '';
  const line = `bandwidth: ${megabits(Math.min(to, from))}, latency: ${((roundTrip * 1e3) / 2).toPrecision(2)} ms${sudden}`;
  return [
    `there ${megabits(to)}, back ${megabits(from)}, round trip ${(roundTrip * 1e3).toFixed(2)} ms`,
    `in the cluster file: links: [{ between: [NAME, NAME], ${line} }]`,
  ].join('\n');
}

async function run(models: readonly string[], options: Options): Promise<void> {
  const { link, serve, timeout } = options;
  if (link !== undefined) {
    const rates = await measureLink(link, timeout);
    const latencyMs = (rates.roundTrip * 1e3) / 2;
    const data = {
      ok: true,
      link,
      roundTripMs: rates.roundTrip * 1e3,
      latencyMs,
      bytesPerSecond: { to: rates.to, from: rates.from },
      burstBytes: rates.burst,
    };
    printResult(options, data, linkText(rates));
  } else if (serve !== undefined) {
    await serveLink(serve, timeout, (endpoint) => notice(`waiting at ${endpoint} for ${timeout} s`));
    printResult(options, { ok: true, serve }, 'done');
  } else if (models.length > 0) await device(models, options);
  else throw new CompileError('flag', 'nothing to measure', { hint: 'name a model, or give --link or --serve' });
}

export const addProfile = (program: Command): void => {
  program
    .command('profile')
    .description('measure what operators need on this device, or what a link carries')
    .argument('[models...]', 'ONNX files')
    .addOption(dimOption())
    .option('-o, --output <file>', 'profile file', 'profile.json')
    .option(
      '--device-threads <count>',
      "onnxruntime's threads",
      positiveInteger('--device-threads'),
      availableParallelism(),
    )
    .option('--cores <count>', 'that no other program takes', positiveInteger('--cores'), availableParallelism())
    .option('--budget <seconds>', 'begin no more measurements after', positive('--budget'), 120)
    .addOption(new Option('--link <endpoint>', 'measure the link to a device that serves').conflicts('serve'))
    .option('--serve <endpoint>', 'answer one link test, e.g. at tcp://0.0.0.0:7001')
    .option('--timeout <seconds>', 'for every wait of a link test', positive('--timeout'), 60)
    .option('--json', 'print one JSON object')
    .action(run);
};
