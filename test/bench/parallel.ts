/**
 * Two equal devices with one core each and a shaped link between them, against one of them: how much sooner an inference is done
 * with the best plan that uses both, beside what onnxruntime makes of two threads on the same cores.
 * `npm run bench:parallel -- resnet50 --rounds 9 --block 2 --budget 120 --mbit 1000`, with --transport-shaping as without root.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readTimeline, reportOf } from '../../compiler/cli/trace-report.ts';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { best, comparable, isPlanned, type Judged, judge, type Planned } from '../../compiler/policies.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { feederArguments } from './feeder.ts';
import { flag, inTurn, over, report, spread, temporaryFolder } from './measure.ts';
import { MeasuredProcess } from './measured-process.ts';
import { plainArguments } from './plain-onnxruntime.ts';
import { measuredLink } from './testbed/measured-link.ts';
import { measuredProfiles } from './testbed/measured-profiles.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Testbed } from './testbed/testbed.ts';
import { clusterOf, type Rates } from './this-machine.ts';

const rounds = flag('--rounds', 9);
/** Seconds. */
const block = flag('--block', 2);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 120);
const megabits = flag('--mbit', 1000);
const PORT = 7000;
/** Seconds; a device that another one waits for may have to load half a gigabyte. */
const PATIENCE = 120;
const [LEFT, RIGHT, BOTH] = ['left', 'right', 'both'] as const;

const say = (what: string): void => void process.stderr.write(`${(performance.now() / 1e3).toFixed(0)} s: ${what}\n`);

/** Plans by every policy; the fastest of those that have both devices compute, and of all. */
async function plansOf(testbed: Testbed, model: string, rates: Rates) {
  const program = await importModel(model);
  const [left, right] = await measuredProfiles(testbed, [LEFT, RIGHT], model, folder, budget);
  const cluster = clusterOf(left!, rates, right);
  const judged: Judged[] = [];
  for (const policy of comparable(program)) judged.push(await judge(program, cluster, policy));
  const planned = judged.filter(isPlanned);
  say(planned.map(({ policy, schedule }) => `${policy} ${(1e3 * schedule.makespan).toFixed(1)} ms`).join(', '));
  return {
    cluster,
    auto: best(cluster, planned),
    split: best(cluster, planned.filter(isSplit)),
    whole: wholeOf(planned),
  };
}

const isSplit = ({ schedule }: Planned): boolean =>
  schedule.devices.every(({ steps }) => steps.some(({ kind }) => kind === 'segment'));

function wholeOf(planned: readonly Planned[]): Planned {
  const whole = planned.find(({ policy }) => policy === 'local');
  if (!whole) throw new Error('no plan for one device');
  return whole;
}

/** Both devices of a build, ready. */
async function pair(
  testbed: Testbed,
  build: string,
  trace: boolean,
): Promise<readonly [MeasuredProcess, MeasuredProcess]> {
  const common = { build, timeout: PATIENCE, connect: PATIENCE, inFlight: 1, trace };
  const listen = await testbed.listen(RIGHT, PORT);
  const endpoint = await testbed.endpoint(RIGHT, PORT, LEFT);
  const right = feederArguments({ ...common, device: RIGHT, peers: {}, listen });
  const left = feederArguments({ ...common, device: LEFT, peers: { [RIGHT]: endpoint } });
  return Promise.all([
    MeasuredProcess.of(testbed.spawn(LEFT, process.execPath, left)),
    MeasuredProcess.of(testbed.spawn(RIGHT, process.execPath, right)),
  ]);
}

/** What the two did beside what was predicted, as they tell it themselves; recorded apart from what is timed. */
async function tracedReport(testbed: Testbed, build: string) {
  const [left, right] = await pair(testbed, build, true);
  await left.block(block);
  const traces = [await left.trace(), await right.trace()];
  await Promise.all([left.end(), right.end()]);
  return reportOf(traces, await readTimeline(build));
}

/** Of onnxruntime with one thread and with two, of the build for one device and of that for two. */
async function timesOf(testbed: Testbed, model: string, one: string, two: string) {
  const alone = feederArguments({ build: one, device: LEFT, peers: {}, timeout: PATIENCE, inFlight: 1 });
  const plain = (host: string, threads: number) =>
    MeasuredProcess.of(testbed.spawn(host, process.execPath, plainArguments(model, threads)));
  const first = await plain(LEFT, 1);
  const threads = await plain(BOTH, 2);
  const device = await MeasuredProcess.of(testbed.spawn(LEFT, process.execPath, alone));
  const [left, right] = await pair(testbed, two, false);
  const blocks = { plain: first.block, one: device.block, two: left.block, threads: threads.block };
  const all = await inTurn(blocks, rounds, block);
  await Promise.all([first, threads, device, left, right].map((each) => each.end()));
  return all;
}

const single: Cluster = parseCluster({ devices: { [LEFT]: { threads: 1 } } });

async function measure(testbed: Testbed, name: string, rates: Rates) {
  const model = join(folder, `${name}.onnx`);
  const [one, two] = [join(folder, `${name}-one`), join(folder, `${name}-two`)];
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  say(`${name}: a profile, and plans`);
  const { cluster, auto, split, whole } = await plansOf(testbed, model, rates);
  await compile({ model, cluster: single, policy: `whole:${LEFT}`, output: one });
  await compile({ model, cluster, plan: split.plan, output: two });
  say(`${name}: inferences of ${split.policy}`);
  const all = await timesOf(testbed, model, one, two);
  const { hidden, predictedHidden } = await tracedReport(testbed, two);
  const speedUp = over(all, (round) => round.one / round.two);
  return {
    model: name,
    plan: split.policy,
    auto: auto.policy,
    'onnxruntime, ms': spread(over(all, ({ plain }) => plain)),
    'one device, ms': spread(over(all, (round) => round.one)),
    'two devices, ms': spread(over(all, (round) => round.two)),
    'predicted, ms': (1e3 * split.schedule.makespan).toFixed(1),
    'predicted speed-up': whole.schedule.makespan / split.schedule.makespan,
    'speed-up': speedUp.median,
    'its quartiles': spread(speedUp, 2),
    'of two threads': spread(
      over(all, ({ plain, threads }) => plain / threads),
      2,
    ),
    'hidden, %': Math.round(100 * hidden),
    'predicted hidden, %': Math.round(100 * predictedHidden),
  };
}

if (availableParallelism() < 2) {
  process.stderr.write('bench:parallel needs two cores\n');
  process.exit(1);
}
const folder = temporaryFolder();
const chosen = process.argv.slice(2).filter((word) => word in zoo);
const standard = ['vgg19', 'resnet50', 'densenet121', 'squeezenet', 'efficientnet-b0'];
const testbed = openTestbed({
  hosts: [
    { name: LEFT, cores: [0] },
    { name: RIGHT, cores: [1] },
    { name: BOTH, cores: [0, 1] },
  ],
  links: [{ between: [LEFT, RIGHT], bandwidth: (megabits * 1e6) / 8 }],
});
try {
  const { bandwidth, latency } = await measuredLink(testbed, [LEFT, RIGHT]);
  const rates = { bandwidth: `${bandwidth} B/s`, latency: `${latency} s` };
  const link = `${((bandwidth * 8) / 1e6).toFixed(0)} Mbit/s and ${(latency * 1e3).toFixed(2)} ms`;
  say(`the link has ${link}`);
  const rows = [];
  for (const name of chosen.length > 0 ? chosen : standard) rows.push(await measure(testbed, name, rates));
  report(
    rows,
    `one core each, the link has ${link}; median (quartiles) of ${rounds} rounds of blocks of ${block} s; speed-up: one device ÷ two devices of each round, aim 1.85 and more for vgg19 and resnet50; of two threads: onnxruntime's own, of one thread ÷ two; hidden: communication behind the receiver's work, aim 80 and more; ${testbed.note}`,
  );
} finally {
  testbed.close();
}
