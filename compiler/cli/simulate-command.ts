/** `shardonnx simulate`: what a build or a plan is predicted to do, with several inferences in flight, and what each step waits for. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { loadCluster } from '../cluster/cluster.ts';
import { formatBytes } from '../cluster/units.ts';
import { withProfiles } from '../cluster/with-profiles.ts';
import { CompileError } from '../error.ts';
import { lower } from '../lower.ts';
import { importModel } from '../onnx/import.ts';
import { costNotices } from '../planning/costs/notices.ts';
import { parseWorkload } from '../planning/simulation/read-workload.ts';
import { type SimulationReport, type StepReport, simulate, type Waits } from '../planning/simulation/report.ts';
import type { Workload } from '../planning/simulation/workload.ts';
import { dimensions, dimOption, flagError, positiveInteger } from './flags.ts';
import { notice, type OutputOptions, printResult } from './output.ts';
import { readPlan } from './plan-file.ts';
import { table } from './table.ts';

interface Options extends OutputOptions {
  readonly cluster?: string;
  readonly inFlight: number;
  readonly dim: readonly string[];
}

/** More take long to simulate and tell nothing new. */
const MOST_IN_FLIGHT = 64;
/** Waits that people are shown; --json has all. */
const SHOWN = 10;

async function ofBuild(build: string, model: string | undefined, { cluster, dim }: Options): Promise<Workload> {
  if (model !== undefined || cluster !== undefined || dim.length > 0) {
    throw flagError(
      `${build} is a build`,
      'a build knows its model and its cluster: leave out the model, --cluster and --dim',
    );
  }
  const file = join(build, 'timeline.json');
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    const hint = 'give the folder that compile wrote, or a plan file with its model and --cluster';
    throw new CompileError('timeline', `cannot read ${file}: ${cause.message}`, { at: [build], hint, cause });
  });
  return parseWorkload(text, file);
}

async function ofPlan(file: string, model: string | undefined, { cluster, dim }: Options): Promise<Workload> {
  const plan = await readPlan(file);
  if (model === undefined || cluster === undefined) {
    const missing = model === undefined ? 'its model' : '--cluster';
    throw flagError(
      `${file} is a plan, and ${missing} is not given`,
      'write: simulate plan.json model.onnx --cluster cluster.yaml',
    );
  }
  const machines = await withProfiles(await loadCluster(cluster));
  const program = await importModel(model, { dims: dimensions(dim), notice });
  for (const text of costNotices(program, machines)) notice(text);
  return lower(program, { cluster: machines, plan }).schedule.workload;
}

const milliseconds = (seconds: number): string => `${(seconds * 1e3).toFixed(seconds < 0.1 ? 2 : 1)} ms`;
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
const total = ({ device, sender, link, transfer }: Waits): number => device + sender + link + transfer;

/** Why a step waits, in words. */
function reasons({ waits, from, link }: StepReport): string {
  const parts: readonly [string, number][] = [
    ['device busy with another inference', waits.device],
    [`${from} has not sent it yet`, waits.sender],
    [`link ${link} busy`, waits.link],
    [`on its way over link ${link}`, waits.transfer],
  ];
  return parts
    .filter(([, seconds]) => seconds > 0)
    .map(([why, seconds]) => `${why}: ${milliseconds(seconds)}`)
    .join('; ');
}

function waitTable({ steps, inFlight }: SimulationReport): string[] {
  const waiting = steps.filter(({ waits }) => total(waits) > 0).sort((a, b) => total(b.waits) - total(a.waits));
  if (waiting.length === 0) return ['no step waits'];
  const rows = waiting
    .slice(0, SHOWN)
    .map((step) => [step.device, `${step.kind} ${step.id}`, step.name, milliseconds(total(step.waits)), reasons(step)]);
  const left = waiting.length - rows.length;
  return [
    table(['device', 'step', 'what', `waits (${inFlight} in flight)`, 'why'], rows),
    ...(left > 0 ? [`and ${left} more steps that wait less; --json has all`] : []),
  ];
}

function asText(report: SimulationReport): string {
  const { latency, latencyInFlight, inFlight, throughput, joules, bytes, hidden, devices, links } = report;
  const joule = (value: number | undefined) => (value === undefined ? '?' : `${value.toPrecision(3)} J`);
  const deviceRows = devices.map(({ device, utilisation, utilisationInFlight, joules: own }) => [
    device,
    percent(utilisation),
    percent(utilisationInFlight),
    ...(['idle', 'compute', 'send', 'receive'] as const).map((state) => joule(own?.[state])),
  ]);
  const linkRows = links.map((link) => [
    link.link,
    percent(link.utilisation),
    percent(link.utilisationInFlight),
    formatBytes(link.bytes),
    joule(link.joules),
  ]);
  const busy = ['busy alone', `busy, ${inFlight} in flight`];
  return [
    `alone: ${milliseconds(latency)}, ${joules === null ? 'energy unknown' : joule(joules)}, ${formatBytes(bytes)} cross links, ${percent(hidden)} of their time hidden by computation`,
    `${inFlight} in flight: ${throughput.toFixed(1)} inferences a second, ${milliseconds(latencyInFlight)} each`,
    '',
    table(['device', ...busy, 'idle', '+ compute', '+ send', '+ receive'], deviceRows),
    ...(links.length > 0 ? ['', table(['link', ...busy, 'bytes', 'energy'], linkRows)] : []),
    '',
    ...waitTable(report),
  ].join('\n');
}

const inMilliseconds = ({ device, sender, link, transfer }: Waits) => ({
  device: device * 1e3,
  sender: sender * 1e3,
  link: link * 1e3,
  transfer: transfer * 1e3,
});

const asData = ({ latency, latencyInFlight, joules, steps, ...rest }: SimulationReport) => ({
  ok: true,
  latencyMs: latency * 1e3,
  latencyInFlightMs: latencyInFlight * 1e3,
  energyJ: joules,
  ...rest,
  steps: steps.map(({ seconds, start, end, waits, ...step }) => ({
    ...step,
    ms: seconds * 1e3,
    startMs: start * 1e3,
    endMs: end * 1e3,
    waitsMs: inMilliseconds(waits),
  })),
});

async function run(what: string, model: string | undefined, options: Options): Promise<void> {
  const { inFlight } = options;
  if (inFlight > MOST_IN_FLIGHT)
    throw flagError(`--in-flight ${inFlight}`, `more than ${MOST_IN_FLIGHT} tell nothing new`);
  const isBuild = (await stat(what)).isDirectory();
  const workload = await (isBuild ? ofBuild : ofPlan)(what, model, options);
  const report = simulate(workload, inFlight);
  printResult(options, asData(report), asText(report));
}

export const addSimulate = (program: Command): void => {
  program
    .command('simulate')
    .description('predict what a build or a plan does: times, energy, utilisation, what every step waits for')
    .argument('<what>', 'build folder, or plan file (JSON)')
    .argument('[model]', 'ONNX file, of a plan')
    .option('-c, --cluster <file>', 'cluster file (YAML or JSON), of a plan')
    .option('--in-flight <count>', 'inferences at once', positiveInteger('--in-flight'), 4)
    .addOption(dimOption())
    .option('--json', 'print one JSON object')
    .action(run);
};
