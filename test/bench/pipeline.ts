/** Throughput of a pipeline over two equal devices, one thread and one process each, against one such device, in turn. */
import { join } from 'node:path';
import { compile } from '../../compiler/compile.ts';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle } from '../../runtime/index.ts';
import { flag, report, spread, summarise, temporaryFolder } from './measure.ts';
import { growth, throughput } from './streaming.ts';
import { clusterOf, link, type Rates } from './this-machine.ts';

const rounds = flag('--rounds', 9);
/** Seconds that one device works in a round. */
const length = flag('--seconds', 2);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 120);
/** Inferences of the long run, whose memory is watched. */
const lasting = flag('--lasting', 10_000);
const LASTS = 'lenet';
const IN_FLIGHT = 4;

const folder = temporaryFolder();

/** Both builds of a model: all on one device, and a stage for each of two. */
async function builds(name: string, rates: Rates) {
  const model = join(folder, `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  const { profile } = await measureDevice([await importModel(model)], { threads: 1, budget, progress: () => {} });
  const cluster = clusterOf(profile, rates);
  const of = async (policy: string) => {
    const output = join(folder, `${name}-${policy.split(':')[0]}`);
    const { schedule } = await compile({ model, cluster, policy, output });
    return { output, busy: schedule.devices.map(({ steps, times }) => busy(steps, times)) };
  };
  return { one: await of('whole:left'), two: await of('pipeline') };
}

/** Predicted seconds in which a device computes. */
const busy = (steps: readonly { kind: string }[], times: readonly { start: number; end: number }[]): number =>
  steps.reduce((sum, { kind }, i) => (kind === 'segment' ? sum + times[i]!.end - times[i]!.start : sum), 0);

/** Over so many inferences of a small model. */
async function lastingGrowth(output: string): Promise<string> {
  const bundle = await openBundle(output);
  const text = await growth(bundle, Math.ceil(lasting / 40), IN_FLIGHT, (samples) => samples < 40);
  await bundle.close();
  return `resident memory over ${lasting} inferences of ${LASTS}: ${text}`;
}

async function measure(name: string, rates: Rates) {
  const { one, two } = await builds(name, rates);
  const bundles = { one: await openBundle(one.output), two: await openBundle(two.output) };
  const rate = await throughput(bundles.one, 8, IN_FLIGHT);
  const count = Math.max(8, Math.ceil(rate * length));
  const rows: { one: number; two: number; ratio: number }[] = [];
  for (let round = -1; round < rounds; round++) {
    const first = await throughput(bundles.one, count, IN_FLIGHT);
    const second = await throughput(bundles.two, count, IN_FLIGHT);
    if (round >= 0) rows.push({ one: first, two: second, ratio: second / first });
  }
  await Promise.all([bundles.one.close(), bundles.two.close()]);
  const of = (key: 'one' | 'two' | 'ratio') => summarise(rows.map((row) => row[key]));
  return {
    model: name,
    'one device, 1/s': spread(of('one')),
    'two devices, 1/s': spread(of('two')),
    'predicted ratio': Math.max(...one.busy) / Math.max(...two.busy),
    ratio: of('ratio').median,
    'its quartiles': spread(of('ratio'), 2),
    aim: of('ratio').median >= 1.85 ? 'met' : 'missed',
  };
}

const chosen = process.argv.slice(2).filter((word) => word in zoo);
const standard = ['efficientnet-b0', 'resnet50', 'vgg16', 'densenet121', 'squeezenet', 'mobilenetv2'];
const rates = await link();
const rows = [];
for (const name of chosen.length > 0 ? chosen : standard) rows.push(await measure(name, rates));
const memory = lasting > 0 ? await lastingGrowth((await builds(LASTS, rates)).two.output) : '';
report(
  rows,
  `median (quartiles) of ${rounds} rounds in turn, ${IN_FLIGHT} in flight; link ${rates.bandwidth}; aim: ratio 1.85 and more. ${memory}`,
);
