/** Outputs of the model that are weights of it: whoever wants the outputs holds them, nobody sends them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { importModel } from '../../compiler/onnx/import.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { modelBytes, node, ramp, value } from '../onnx/make.ts';
import { workFolder } from '../support/cli.ts';
import { errorOf } from '../support/error.ts';
import { clusterOf, lowered } from '../support/imported.ts';
import { replay } from '../support/replay.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('weight outputs');
const work = workFolder();
/** `a` has the input and does all work, `c` wants the outputs, `b` has nothing to do. */
const cluster = clusterOf({ a: 1, b: 2, c: 3 }, 'c');
const weight = 4096 * 4;
const model = work.write(
  'weight.onnx',
  modelBytes({
    nodes: [node('Mul', ['x', 'used'], ['y'], {}, { name: 'y' })],
    inputs: [value('x', [64])],
    initializers: [ramp('w', [4096]), ramp('used', [64])],
    outputs: [value('y', [64]), value('w', [4096]), value('used', [64])],
  }),
);

test('they lie where the outputs are wanted, and only what is computed crosses', async () => {
  const program = await importModel(model);
  const { schedule } = lowered(program, { cluster, plan: await makePlan(program, cluster, 'whole:a') });
  replay(schedule);
  assert.equal(
    schedule.channels.map(({ from, to, value: { tensor } }) => [from, to, tensor]),
    [['a', 'c', 'y']],
  );
  const held = schedule.devices.map(({ device, weightBytes }) => [device, weightBytes]);
  assert.equal(held, [
    ['a', 64 * 4],
    ['b', 0],
    ['c', weight + 64 * 4],
  ]);
});

test('they count against the memory of their device', async () => {
  const program = await importModel(model);
  const plan = await makePlan(program, cluster, 'whole:a');
  const devices = cluster.devices.map((device) => (device.name === 'c' ? { ...device, memory: weight } : device));
  const error = await errorOf('device-memory', () => lowered(program, { cluster: { ...cluster, devices }, plan }));
  assert.match(error.message, /^c needs /);
});

test('the bundle gives them as they are', async () => {
  for (const policy of ['whole:a', 'whole:b', 'whole:c', 'spatial']) {
    await assertRuns({ model, cluster, policy, output: work.path(policy.replace(':', '-')) });
  }
});

test.run();
