/** Two processes with one thread each, rows shared, against plain onnxruntime with one thread: the speed-up of a spatial split. */
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle, randomTensor } from '../../runtime/index.ts';
import { alternate, flag, milliseconds, report, temporaryFolder } from './measure.ts';

const cluster = parseCluster({
  devices: { left: { threads: 1 }, right: { threads: 1 } },
  links: [{ between: ['left', 'right'], bandwidth: '8 Gbit/s', latency: '0.1 ms' }],
});

async function measure(name: string, folder: string) {
  const model = join(folder, `${name}.onnx`);
  const output = join(folder, name);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  await compile({ model, cluster, policy: 'spatial', output });
  const bundle = await openBundle(output, { transport: 'tcp' });
  const inputs = Object.fromEntries(bundle.inputs.map((spec) => [spec.name, randomTensor(spec, 1)]));
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([key, { type, data, dims }]) => [
      key,
      new ort.Tensor(type, data as Float32Array, dims),
    ]),
  );
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1 });
  const times = await alternate(
    { one: () => session.run(feeds), two: () => bundle.infer(inputs) },
    flag('--rounds', 20),
  );
  await bundle.close();
  await session.release();
  return {
    model: name,
    'one thread, ms': milliseconds(times.one),
    'two devices, ms': milliseconds(times.two),
    'speed-up': times.one.median / times.two.median,
  };
}

const chosen = process.argv.slice(2).filter((name) => name in zoo);
const names = chosen.length > 0 ? chosen : ['resnet50', 'vgg19'];
const folder = temporaryFolder();
const rows = [];
for (const name of names) rows.push(await measure(name, folder));
report(rows, 'median (quartiles); aim: 1.7 and more');
