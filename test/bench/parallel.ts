/**
 * Two equal devices with one core each and a shaped link between them, against one of them: how much sooner an inference is done
 * with the best plan that uses both, beside what onnxruntime makes of two threads on the same cores.
 * `npm run bench:parallel -- resnet50 --rounds 9 --block 2 --budget 120 --mbit 1000`, with --transport-shaping as without root.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readTimeline, reportOf } from '../../compiler/cli/trace-report.ts';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { best, comparable, isPlanned, type Judged, judge, type Planned } from '../../compiler/policies.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import {
  alone,
  hosts,
  LEFT,
  linkOf,
  measuredCluster,
  measuredRates,
  pair,
  type Rates,
  single,
  traced,
} from './left-and-right.ts';
import { flag, inTurn, over, report, say, spread, temporaryFolder } from './measure.ts';
import { MeasuredProcess } from './measured-process.ts';
import { plainArguments } from './plain-onnxruntime.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Testbed } from './testbed/testbed.ts';

const rounds = flag('--rounds', 9);
/** Seconds. */
const block = flag('--block', 2);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 120);
const megabits = flag('--mbit', 1000);
const BOTH = 'both';

/** Plans by every policy; the fastest of those that have both devices compute, and of all. */
async function plansOf(testbed: Testbed, model: string, rates: Rates) {
  const program = await importModel(model);
  const cluster = await measuredCluster(testbed, model, rates, folder, budget);
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

/** Of onnxruntime with one thread and with two, of the build for one device and of that for two. */
async function timesOf(testbed: Testbed, model: string, one: string, two: string) {
  const plain = (host: string, threads: number) =>
    MeasuredProcess.of(testbed.spawn(host, process.execPath, plainArguments(model, threads)));
  const first = await plain(LEFT, 1);
  const threads = await plain(BOTH, 2);
  const device = await alone(testbed, one, 1);
  const [left, right] = await pair(testbed, two);
  const blocks = { plain: first.block, one: device.block, two: left.block, threads: threads.block };
  const all = await inTurn(blocks, rounds, block);
  await Promise.all([first, threads, device, left, right].map((each) => each.end()));
  return all;
}

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
  const traces = await traced(testbed, two, 1, (left) => left.block(block));
  const { hidden, predictedHidden } = reportOf(traces, await readTimeline(two));
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
  hosts: [...hosts, { name: BOTH, cores: [0, 1] }],
  links: [linkOf(megabits)],
});
try {
  const { rates, text: link } = await measuredRates(testbed);
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
