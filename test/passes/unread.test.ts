/** Tiles and slices that nobody reads in the end: the bundle runs all the same, a segment without outputs it could not. */
import { suite } from 'uvu';
import type { Cluster } from '../../compiler/cluster/cluster.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, imported, type ModelName, modelFile, planOf } from '../support/imported.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('unread');
const work = workFolder();

/** The model under a plan, or else under `spatial`. */
const runs = (name: ModelName, cluster: Cluster, plan?: Plan): Promise<void> =>
  assertRuns({ model: modelFile(name), cluster, plan, output: work.path('build') });
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
