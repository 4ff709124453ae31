/** Throughput of a pipeline over two equal devices, one thread and one process each, against one such device, in turn. */
import { join } from 'node:path';
import { compile } from '../../compiler/compile.ts';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { type Bundle, openBundle, randomTensor, stream } from '../../runtime/index.ts';
import { flag, report, type Summary, summarise, temporaryFolder } from './measure.ts';
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

/** Inferences a second, of so many. */
async function throughput(bundle: Bundle, count: number): Promise<number> {
  const inputs = inputsOf(bundle);
  const begin = performance.now();
  for await (const _ of stream(count, IN_FLIGHT, () => bundle.infer(inputs)));
  return (1e3 * count) / (performance.now() - begin);
}

const inputsOf = ({ inputs }: Bundle) => Object.fromEntries(inputs.map((spec) => [spec.name, randomTensor(spec, 1)]));

async function measure(name: string, rates: Rates) {
  const { one, two } = await builds(name, rates);
  const bundles = { one: await openBundle(one.output), two: await openBundle(two.output) };
  const rate = await throughput(bundles.one, 8);
  const count = Math.max(8, Math.ceil(rate * length));
  const rows: { one: number; two: number; ratio: number }[] = [];
  for (let round = -1; round < rounds; round++) {
    const first = await throughput(bundles.one, count);
    const second = await throughput(bundles.two, count);
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

const spread = ({ median, quartiles: [low, high] }: Summary, digits = 1): string =>
  `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;

/** Bytes that each process's resident memory grows by in an inference: the line of least squares through the second half. */
async function growth(output: string): Promise<string> {
  const bundle = await openBundle(output);
  const points: Record<string, [number, number][]> = {};
  for (let done = 0; done < lasting; ) {
    const step = Math.max(1, Math.ceil(lasting / 40));
    await throughput(bundle, step);
    done += step;
    const resident = Object.entries(await bundle.stats()).map(([device, one]) => [device, one.residentBytes] as const);
    for (const [device, bytes] of [...resident, ['parent', process.memoryUsage.rss()] as const]) {
      if (bytes !== null) points[device] = [...(points[device] ?? []), [done, bytes]];
    }
  }
  await bundle.close();
  const lines = Object.entries(points).map(([device, all]) => {
    const last = all.at(-1)?.[1] ?? 0;
    return `${device} ${slope(all.slice(all.length / 2)).toFixed(1)} B an inference (${(last / 2 ** 20).toFixed(0)} MiB)`;
  });
  return `resident memory over ${lasting} inferences of ${LASTS}: ${lines.join(', ')}`;
}

function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const over = points.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0);
  return over / points.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
}

const chosen = process.argv.slice(2).filter((word) => word in zoo);
const standard = ['efficientnet-b0', 'resnet50', 'vgg16', 'densenet121', 'squeezenet', 'mobilenetv2'];
const rates = await link();
const rows = [];
for (const name of chosen.length > 0 ? chosen : standard) rows.push(await measure(name, rates));
const memory = lasting > 0 ? await growth((await builds(LASTS, rates)).two.output) : '';
report(
  rows,
  `median (quartiles) of ${rounds} rounds in turn, ${IN_FLIGHT} in flight; link ${rates.bandwidth}; aim: ratio 1.85 and more. ${memory}`,
);
