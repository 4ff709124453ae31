/**
 * Throughput of a pipeline over two equal devices with one core each and a shaped link between them, against one of them, in turn.
 * `npm run bench:pipeline -- resnet50 --rounds 9 --block 3 --budget 120 --mbit 1000 --in-flight 8 --lasting 10000`, with
 * --transport-shaping as without root.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readTimeline, reportOf, type TraceReport } from '../../compiler/cli/trace-report.ts';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { simulate } from '../../compiler/planning/simulation/report.ts';
import { isPlanned, judge } from '../../compiler/policies.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle } from '../../runtime/index.ts';
import {
  alone,
  hosts,
  LEFT,
  linkOf,
  measuredCluster,
  measuredRates,
  pair,
  type Rates,
  RIGHT,
  single,
  traced,
} from './left-and-right.ts';
import { type Block, flag, inTurn, over, report, say, spread, summarise, temporaryFolder } from './measure.ts';
import { growth } from './streaming.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Testbed } from './testbed/testbed.ts';

const rounds = flag('--rounds', 9);
/** Seconds. */
const block = flag('--block', 3);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 120);
const megabits = flag('--mbit', 1000);
/** Inferences of the long run, whose memory is watched. */
const lasting = flag('--lasting', 10_000);
const LASTS = 'lenet';
/** More than devices and links have at work: while one is late for a moment, the other has something to do. */
const inFlight = flag('--in-flight', 8);

/** Both builds of a model: all on one device, and a stage for each of two. */
async function builds(testbed: Testbed, name: string, rates: Rates) {
  const model = join(folder, `${name}.onnx`);
  const [one, two] = [join(folder, `${name}-one`), join(folder, `${name}-two`)];
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  say(`${name}: a profile, and a plan`);
  const cluster = await measuredCluster(testbed, model, rates, folder, budget);
  const whole = await judge(await importModel(model), cluster, 'local');
  if (!isPlanned(whole)) throw new Error('no plan for one device');
  await compile({ model, cluster: single, policy: `whole:${LEFT}`, output: one });
  const { schedule } = await compile({ model, cluster, policy: 'pipeline', output: two });
  const [slow, fast] = [whole.schedule, schedule].map(({ workload }) => simulate(workload, inFlight).throughput);
  return { one, two, predicted: fast! / slow! };
}

/** Over so many inferences of a small model. */
async function lastingGrowth(build: string): Promise<string> {
  const bundle = await openBundle(build, { inFlight });
  const text = await growth(bundle, Math.ceil(lasting / 40), inFlight, (samples) => samples < 40);
  await bundle.close();
  return `resident memory over ${lasting} inferences of ${LASTS}: ${text}`;
}

async function measure(testbed: Testbed, name: string, rates: Rates) {
  const { one, two, predicted } = await builds(testbed, name, rates);
  say(`${name}: inferences`);
  const device = await alone(testbed, one, inFlight);
  const other = await alone(testbed, one, inFlight, RIGHT);
  const [left, right] = await pair(testbed, two, { inFlight });
  const both: Block = async (seconds) => {
    const each = await Promise.all([device.stream(seconds), other.stream(seconds)]);
    return [1 / each.flat().reduce((sum, ms) => sum + 1 / ms, 0)];
  };
  const all = await inTurn({ one: device.stream, two: left.stream, both }, rounds, block);
  await Promise.all([device, other, left, right].map((each) => each.end()));
  const traces = await traced(testbed, two, inFlight, (feeder) => feeder.stream(block));
  const { steps, utilisation } = reportOf(traces, await readTimeline(two));
  const ratio = over(all, (round) => round.one / round.two);
  const perSecond = (key: 'one' | 'two') => spread(summarise(all.map((round) => 1e3 / round[key])));
  const stage = (host: string) =>
    `${stageMs(steps, host).toFixed(2)} (${Math.round(100 * (utilisation[host] ?? 0))} %)`;
  return {
    model: name,
    'one device, 1/s': perSecond('one'),
    'two devices, 1/s': perSecond('two'),
    'one device, ms': over(all, (round) => round.one).median,
    'left stage, ms (of the time)': stage(LEFT),
    'right stage, ms (of the time)': stage(RIGHT),
    'predicted ratio': predicted,
    ratio: ratio.median,
    'its quartiles': spread(ratio, 2),
    'of two models side by side': over(all, (round) => round.one / round.both).median,
    aim: ratio.median >= 1.85 ? 'met' : 'missed',
  };
}

/** Medians of a device's segments. */
const stageMs = (steps: TraceReport['steps'], host: string): number =>
  steps.reduce((sum, { device, measuredMs }) => (device === host ? sum + measuredMs : sum), 0);

if (availableParallelism() < 2) {
  process.stderr.write('bench:pipeline needs two cores\n');
  process.exit(1);
}
const folder = temporaryFolder();
const chosen = process.argv.slice(2).filter((word) => word in zoo);
const standard = ['efficientnet-b0', 'resnet50', 'vgg16', 'densenet121', 'squeezenet', 'mobilenetv2'];
const testbed = openTestbed({ hosts, links: [linkOf(megabits)] });
try {
  const { rates, text: link } = await measuredRates(testbed);
  say(`the link has ${link}`);
  const rows = [];
  for (const name of chosen.length > 0 ? chosen : standard) rows.push(await measure(testbed, name, rates));
  const memory = lasting > 0 ? await lastingGrowth((await builds(testbed, LASTS, rates)).two) : '';
  report(
    rows,
    `one core each, the link has ${link}; median (quartiles) of ${rounds} rounds of blocks of ${block} s in turn, ${inFlight} in flight; stages as traced apart from that, and how much of the time they computed; two models side by side, one a device: what this machine has for two; aim: ratio 1.85 and more. ${memory}. ${testbed.note}`,
  );
} finally {
  testbed.close();
}
