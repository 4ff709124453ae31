/** Tiles and slices that nobody reads in the end: the bundle runs all the same, a segment without outputs it could not. */
import { suite } from 'uvu';
import { compile } from '../../compiler/compile.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { openBundle } from '../../runtime/bundle.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, imported, type ModelName, modelFile, planOf } from '../support/imported.ts';
import { assertEqualOutputs, inputsFor, reference } from '../support/reference.ts';

const test = suite('unread');
const work = workFolder();

/** Compiles and runs the model under a plan or policy, against onnxruntime. */
async function runs(name: ModelName, cluster: Parameters<typeof compile>[0]['cluster'], plan?: Plan): Promise<void> {
  const [model, output] = [modelFile(name), work.path('build')];
  await compile({ model, cluster, output, ...(plan ? { plan } : { policy: 'spatial' }) });
  const bundle = await openBundle(output, { transport: 'memory', threads: 1 });
  try {
    const inputs = inputsFor(bundle.inputs);
    const { outputs } = await bundle.infer(inputs);
    assertEqualOutputs(outputs, await reference(model, inputs));
  } finally {
    await bundle.close();
  }
}
const two = clusterOf({ a: 1, b: 2 });
const three = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');

test('a tile that another device computes again for itself', async () => {
  const program = await imported('mlp');
  const softmax = [{ device: 'a' }, { device: 'b', region: '[2:4,:]' }];
  await runs('mlp', two, planOf(program, { softmax }, 'a'));
});

test('a slice cut out for a device that gets it from another', async () => {
  const program = await imported('dynamicBatch');
  const rows = [{ device: 'a' }, { device: 'b', region: '[:,:,2:5,:]' }, { device: 'c', region: '[:,:,5:8,:]' }];
  const all = [{ device: 'a' }, { device: 'b' }, { device: 'c' }];
  const plan = planOf(program, { conv1: rows, relu1: rows, conv2: all, relu2: all, rows: 'c', fc: 'c' }, 'c');
  await runs('dynamicBatch', three, plan);
});

for (const name of ['unet', 'integers', 'dynamicBatch', 'twoInputsThreeOutputs'] as const) {
  test(`what the policy leaves over: ${name}`, async () => {
    for (const cluster of [two, three]) await runs(name, cluster);
  });
}

test.run();
