/** A one-device bundle against plain onnxruntime-node on the same model, alternating in one process: what our runtime adds. */
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { detectorFile } from '../../fixtures/demo/text-detect.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle, randomTensor } from '../../runtime/index.ts';
import { alternate, flag, milliseconds, report, temporaryFolder } from './measure.ts';

const cluster = parseCluster({ devices: { one: { threads: 1 } } });
const folder = temporaryFolder();

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
  const times = await alternate(
    { plain: () => session.run(feeds), bundle: () => bundle.infer(inputs) },
    flag('--rounds', 60),
  );
  await bundle.close();
  await session.release();
  return {
    model: name,
    'onnxruntime, ms': milliseconds(times.plain),
    'one-device bundle, ms': milliseconds(times.bundle),
    'added, µs': Math.round(1000 * (times.bundle.median - times.plain.median)),
    ratio: times.bundle.median / times.plain.median,
  };
}

const chosen = process.argv.slice(2).filter((name) => name in zoo || name === 'text-detector');
const names = chosen.length > 0 ? chosen : ['lenet', 'squeezenet', 'resnet50', 'text-detector'];
const rows = [];
for (const name of names) rows.push(await measure(name));
report(rows, 'median (quartiles), one thread each; aim: ratio 1.05 and less');
