/** The published rules on a network small enough to work out by hand, and every published figure where the evidence is there. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { costOf } from '../../../compiler/planning/placement/evaluate.ts';
import { graphOf, match, moduleOf } from './costs.ts';
import { type Network, networkOf, reordered } from './network.ts';
import { networks } from './networks.ts';
import { PublishedRules } from './published-rules.ts';
import { agreementOf, compareRows } from './rows.ts';
import { type LoggedLayer, readCuts, readLayers } from './tables.ts';

const test = suite('cnnparted');
const evidence = fileURLToPath(new URL('../../../../shared/evidence/cnnparted', import.meta.url));

const layer = (name: string, type: string, inputs: number[], elements: number, weights = 0, groups = 1) => ({
  name,
  type,
  inputs,
  elements,
  weights,
  denseWeights: weights * groups,
});
/** a → relu → b → c → add(c, relu): a residual branch of two convolutions. */
const residual: Network = {
  name: 'residual',
  inputElements: 100,
  layers: [
    layer('a', 'Conv', [-1], 1000, 10),
    layer('relu', 'Relu', [0], 1000),
    layer('b', 'Conv', [1], 300, 20, 4),
    layer('c', 'Conv', [2], 1000, 30),
    layer('add', 'Add', [3, 1], 1000),
  ],
};
const logged: LoggedLayer[] = ['/a/Conv', '/b/Conv', '/c/Conv'].map((name, i) => ({
  name,
  seconds: [0.004 * (i + 1), 0.001 * (i + 1)],
  joules: [0.3, 0.2],
}));
const cutAfter = (type: string, after: string) => {
  const found = [...new PublishedRules(residual, logged).cutsAfter(type)].filter((cut) => cut.after === after);
  assert.is(found.length, 1);
  return found[0]!;
};
const nearly = (actual: number, wanted: number) =>
  assert.ok(Math.abs(actual - wanted) < 1e-12, `${actual}, not ${wanted}`);

test('the published rules: after the first activation the sum’s other operand is counted too', () => {
  const { figures, neededBytes } = cutAfter('Relu', 'a');
  assert.is(neededBytes, 2000);
  assert.is(figures.linkBytes, 4000, 'what c makes is as large');
  // Three frames of 26 bytes more at 1 Gbit/s, and 5 m.
  const link = ((4000 + 3 * 26) * 8) / 1e9 + 30e-9;
  nearly(figures.seconds, 0.004 + 0.005 + link);
  nearly(figures.joules, 0.3 + 0.4 + 0.6 * link);
  nearly(figures.throughput, 1 / 0.005);
  // a's weights with what it makes and the activation; b's as if dense, c's, and their operands but not the activation.
  assert.equal(figures.memory, [10 + 2000, 80 + 30 + 2000]);
});

test('the published rules: the layer that comes next is not counted, nor is anything when all is done', () => {
  const before = cutAfter('Conv', 'b');
  assert.equal([before.figures.linkBytes, before.neededBytes], [2600, 2600], 'the activation, and what b makes');
  const whole = cutAfter('output', 'c').figures;
  assert.is(whole.linkBytes, 0);
  nearly(whole.seconds, 0.024 + 46 * 8e-9 + 30e-9);
  assert.is(whole.memory[1], 0);
});

test('names of modules, and layers in the logged order', () => {
  assert.is(moduleOf('/layer1/layer1.0/downsample/downsample.0/Conv'), 'layer1.0.downsample.0');
  assert.is(moduleOf('/features/features.3/expand1x1/Conv'), 'features.3.expand1x1');
  assert.is(moduleOf('/trunk_output/block1/block1-0/f/a/a.0/Conv'), 'block1-0.a.0');
  assert.throws(() => match(residual, logged.slice(1)), /has 3 convolutions, 2 are logged/);
  const two: Network = {
    name: 'two',
    inputElements: 1,
    layers: [
      layer('x', 'Conv', [-1], 1),
      layer('y', 'Conv', [-1], 1),
      layer('xr', 'Relu', [0], 1),
      layer('sum', 'Add', [1, 2], 1),
    ],
  };
  assert.equal(
    reordered(two, ['y', 'x']).layers.map(({ name, inputs }) => [name, ...inputs]),
    [
      ['y', -1],
      ['x', -1],
      ['xr', 1],
      ['sum', 0, 2],
    ],
  );
});

test('every published cut, and the gains of one cut', async () => {
  if (!existsSync(evidence)) {
    console.log('skipped: ../shared/evidence/cnnparted is not there');
    return;
  }
  const compared: string[] = [];
  for (const { name, model, gain } of networks) {
    const layers = readLayers(evidence, name);
    const network = await networkOf(model());
    const rules = new PublishedRules(network, layers);
    const alone = Math.min(
      ...[0, 1].map(
        (device) =>
          costOf(
            graphOf(network, layers),
            network.layers.map(() => device),
          ).interval,
      ),
    );
    const gains = ['Conv', 'Relu', 'Mul']
      .flatMap((type) => [...rules.cutsAfter(type)])
      .map(({ figures }) => (100 * (alone * figures.throughput - 1)).toFixed(1));
    assert.ok(gains.includes(gain.toFixed(1)), name);
    const cuts = readCuts(evidence, name);
    if (cuts.length === 0) continue;
    const { rows, figures, flags } = agreementOf(compareRows(rules, cuts));
    assert.equal([figures, flags], [rows, rows], name);
    compared.push(`${name} ${rows}`);
  }
  assert.equal(compared, ['squeezenet1_1 58', 'resnet50 102', 'efficientnet 171']);
});

test.run();
