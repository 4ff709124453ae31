/**
 * A robot and a server whose link changes as a robot's did indoors and outdoors: a build that switches plans, against each of its
 * plans alone and an oracle that always has the best of them. `npm run bench:adaptive -- resnet18 --seconds 60 --dwell 0.8 --seed 1`;
 * with --transport-shaping as it is without root.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bandwidthRange } from '../../compiler/cli/bandwidth-range.ts';
import { compile } from '../../compiler/compile.ts';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { randomTensor, readDeviceManifest } from '../../runtime/index.ts';
import { generator } from '../../runtime/random.ts';
import { assertEqualOutputs, reference } from '../support/reference.ts';
import { mean, oracle, type Played, quantile, switches, together, weighted } from './adaptive/outcome.ts';
import { Players } from './adaptive/players.ts';
import { drawnTrace, pieces } from './adaptive/trace.ts';
import type { Play } from './feeder.ts';
import { readDistribution } from './lopinfer/results.ts';
import { flag, report, say, temporaryFolder } from './measure.ts';
import { clusterOf, ROBOT, SERVER } from './robot-and-server.ts';
import { measuredLink } from './testbed/measured-link.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Stretch } from './testbed/replay.ts';
import type { Testbed } from './testbed/testbed.ts';

const evidence = fileURLToPath(new URL('../../../shared/evidence/lopinfer/bandwidth.csv', import.meta.url));
/** Of a core: the robot's. */
const SPEED = 0.2;
/** What the trace may have. */
const RANGE = '4..240Mbit/s/6';
/** Seconds for the search of a plan at each of them. */
const SEARCH = 2;
/** Its plan is the first one, which is used until a bandwidth is known; bytes per second. */
const NOMINAL = 1e7;
/** Seconds that contenders play one after the other, so that what else the machine does hits all alike. */
const TURN = 10;
/** Seconds at the first bandwidth of a turn that do not count. */
const BEFORE = 0.6;
/** Of each environment. */
const seconds = flag('--seconds', 20);
/** Seconds that a bandwidth lasts, in the mean. */
const dwell = flag('--dwell', 0.8);
const budget = flag('--budget', 30);
const draw = generator(flag('--seed', 1));

/** A build with as few plans as cover the range, as this machine measured of itself. */
async function build(testbed: Testbed, model: string, output: string): Promise<void> {
  const program = await importModel(model);
  say('link');
  testbed.setBandwidth(0, NOMINAL);
  const link = await measuredLink(testbed, [ROBOT, SERVER]);
  say('profile');
  const { profile } = await measureDevice([program], { threads: 1, budget, progress: () => {} });
  say('plans');
  const share = (host: string) => (host === ROBOT ? SPEED : testbed.share(host));
  const cluster = clusterOf({ share }, profile, link);
  const several = { bandwidths: bandwidthRange(RANGE), fallback: true };
  await compile({ model, cluster, several, request: { budget: SEARCH }, output });
}

/** What each contender does over one trace; null: the bundle that switches. */
async function race(players: Players, trace: readonly Stretch[], contenders: readonly (number | null)[], name: string) {
  const all: (Played & Play)[][] = contenders.map(() => []);
  const turns = pieces(trace, TURN);
  for (const [done, turn] of turns.entries()) {
    for (const [i, plan] of contenders.entries()) all[i]!.push(await players.play(turn, plan, BEFORE));
    say(`${name}: ${done + 1} of ${turns.length}`);
  }
  return all;
}

async function rowsOf(name: string, testbed: Testbed, folder: string) {
  const model = join(folder, `${name}.onnx`);
  const output = join(folder, `${name}-build`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  await build(testbed, model, output);
  const { plans = [], inputs } = await readDeviceManifest(join(output, ROBOT));
  for (const [i, { name: policy, bandwidth }] of plans.entries()) {
    const range = bandwidth?.map((bytes) => (bytes / 1e6).toFixed(1)).join('–');
    say(`plan ${i + 1}: ${policy}, ${range ? `${range} MB/s` : 'no bandwidth'}`);
  }
  if (plans.length < 2) throw new Error(`one plan is the best for ${name} all over ${RANGE}: name another model`);
  const expected = await reference(model, Object.fromEntries(inputs.map((spec) => [spec.name, randomTensor(spec, 0)])));
  const contenders = [null, ...plans.keys()];
  const players = await Players.start(testbed, output, SPEED / testbed.share(ROBOT));
  // Sessions allocate at their first runs.
  await race(players, [{ bandwidth: NOMINAL, seconds: 1 }], contenders, 'warm-up');
  const rows = [];
  for (const [environment, shares] of readDistribution(evidence)) {
    const all = await race(players, drawnTrace(shares, seconds, dwell, draw), contenders, environment);
    for (const { outputs } of all.flat()) assertEqualOutputs(outputs, expected);
    const [adaptive, ...fixed] = all.map(together);
    rows.push(...compared(name, environment, adaptive!, fixed));
  }
  await players.end();
  return rows;
}

/** The bundle that switches, each plan alone, and the oracle. */
function compared(model: string, environment: string, adaptive: Played, fixed: readonly Played[]) {
  const best = oracle(adaptive.laps, fixed);
  const own = mean(weighted(adaptive));
  const row = (plan: string, values: ReturnType<typeof weighted>, inferences: Played['inferences']) => ({
    model,
    environment,
    plan,
    'mean, ms': mean(values),
    'p95, ms': quantile(values, 0.95),
    'adaptive ÷ it': own / mean(values),
    inferences: inferences.length,
    switches: switches(inferences),
    repeated: inferences.filter(({ repeated }) => repeated).length,
  });
  return [
    row('adaptive', weighted(adaptive), adaptive.inferences),
    ...fixed.map((one, i) => row(`${i + 1} ${one.inferences[0]?.plan}`, weighted(one), one.inferences)),
    row('oracle', best, []),
  ];
}

if (!existsSync(evidence)) {
  process.stderr.write('bench:adaptive needs ../shared/evidence/lopinfer/bandwidth.csv, which is not here\n');
  process.exit(1);
}
const words = process.argv.slice(2).filter((word) => word in zoo);
const folder = temporaryFolder();
const testbed = openTestbed({
  hosts: [
    { name: ROBOT, cpu: SPEED },
    { name: SERVER, cpu: 1 },
  ],
  links: [{ between: [ROBOT, SERVER], bandwidth: NOMINAL }],
});
try {
  const rows = [];
  for (const name of words.length > 0 ? words : ['resnet18']) rows.push(...(await rowsOf(name, testbed, folder)));
  const ratios = rows.filter(({ plan }) => plan === 'oracle').map((row) => row['adaptive ÷ it']);
  report(
    rows,
    `${seconds} s of each environment, a bandwidth lasts ${dwell} s in the mean; oracle: the best plan of each bandwidth, as measured there; every plan's answers equal onnxruntime's; adaptive ÷ oracle ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}, aim: 1.10 and less. ${testbed.note}`,
  );
} finally {
  testbed.close();
}
