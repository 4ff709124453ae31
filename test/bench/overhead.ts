/**
 * What our runtime adds: a one-device bundle against plain onnxruntime-node on the same model in one process, and a step that
 * computes next to nothing on another device against ZeroMQ alone, over loopback. In blocks in turn.
 */
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { detectorFile } from '../../fixtures/demo/text-detect.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle, randomTensor } from '../../runtime/index.ts';
import { emptyStep } from './empty-step.ts';
import { backToBack, flag, inTurn, over, report, spread, temporaryFolder } from './measure.ts';
import { zeromqAlone } from './zeromq-alone.ts';

const cluster = parseCluster({ devices: { one: { threads: 1 } } });
const folder = temporaryFolder();
const rounds = flag('--rounds', 30);
/** Seconds. */
const block = flag('--block', 0.3);

/** Writes a zoo model; the text detector is there already. */
function modelFile(name: string): { model: string; dims: Record<string, number> } {
  if (name === 'text-detector') return { model: detectorFile, dims: { 'x:2': 480, 'x:3': 640 } };
  const model = join(folder, `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  return { model, dims: {} };
}

async function measure(name: string) {
  const { model, dims } = modelFile(name);
  const output = join(folder, name);
  await compile({ model, cluster, policy: 'whole:one', output, dims });
  const bundle = await openBundle(output, { transport: 'memory' });
  const inputs = Object.fromEntries(bundle.inputs.map((spec) => [spec.name, randomTensor(spec, 1)]));
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([key, { type, data, dims: shape }]) => [
      key,
      new ort.Tensor(type, data as Float32Array, shape),
    ]),
  );
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const blocks = { plain: backToBack(() => session.run(feeds)), bundle: backToBack(() => bundle.infer(inputs)) };
  const all = await inTurn(blocks, rounds, block);
  await bundle.close();
  await session.release();
  const ratio = over(all, (round) => round.bundle / round.plain);
  return {
    model: name,
    'onnxruntime, ms': spread(
      over(all, ({ plain }) => plain),
      2,
    ),
    'one-device bundle, ms': spread(
      over(all, (round) => round.bundle),
      2,
    ),
    'added, µs': Math.round(over(all, (round) => 1e3 * (round.bundle - round.plain)).median),
    ratio: ratio.median,
    'its quartiles': spread(ratio, 3),
  };
}

/** Microseconds from the call on the device that has the input until it has the output. */
async function roundTrip() {
  const step = await emptyStep(join(folder, 'empty'));
  const alone = await zeromqAlone();
  try {
    const all = await inTurn({ step: step.block, alone: alone.block }, rounds, block);
    return {
      'round trip': '16 floats to a Relu on another device and back',
      'our runtime, µs': spread(
        over(all, (round) => 1e3 * round.step),
        0,
      ),
      'ZeroMQ alone, µs': spread(
        over(all, (round) => 1e3 * round.alone),
        0,
      ),
      'added, µs': Math.round(over(all, (round) => 1e3 * (round.step - round.alone)).median),
    };
  } finally {
    await step.close();
    alone.close();
  }
}

const chosen = process.argv.slice(2).filter((name) => name in zoo || name === 'text-detector');
const names = chosen.length > 0 ? chosen : ['lenet', 'squeezenet', 'resnet50', 'text-detector'];
const rows = [];
for (const name of names) rows.push(await measure(name));
report(
  [...rows, await roundTrip()],
  `median (quartiles) of ${rounds} rounds of blocks of ${block} s, one thread each; ratio: of each round; aims: ratio 1.02 and less, round trip 250 µs and less`,
);
