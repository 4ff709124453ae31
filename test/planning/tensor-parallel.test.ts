/** Tensor parallel plans: pairs of operators that need one sum, attention by heads, results like onnxruntime's. */
import { rmSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { parseRegion } from '../../compiler/ir/region.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { models, unusualModels } from '../../fixtures/models.ts';
import { bertBase } from '../../fixtures/zoo/bert.ts';
import { Builder, type Model } from '../../fixtures/zoo/builder.ts';
import { binary, linear, matMul, relu, reshape, softmax, transpose } from '../../fixtures/zoo/layers.ts';
import { mobilenetV2 } from '../../fixtures/zoo/mobilenet.ts';
import { vitB16 } from '../../fixtures/zoo/vit.ts';
import { encodeModel, writeModel } from '../../fixtures/zoo/write.ts';
import { importBuilt } from '../support/built.ts';
import { workFolder } from '../support/cli.ts';
import { errorOf } from '../support/error.ts';
import { bytesMoved, clusterOf, imported, lowered, planOf } from '../support/imported.ts';
import { replay } from '../support/replay.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('tensor parallel');
const work = workFolder();
const two = clusterOf({ a: 1, b: 3 });
const three = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');

const perceptron = () =>
  importBuilt('perceptron', (g) => {
    const hidden = relu(g, linear(g, g.input('x', [16, 64]), 'fc1', 256), 'relu1');
    g.output(linear(g, hidden, 'fc2', 64), 'y');
  });

/** Attention as frameworks without a fourth dimension write it: sentences times heads in the first. */
function flatAttention(g: Builder): void {
  const x = g.input('x', [24, 1, 64]);
  const split = (which: string, perm: readonly number[]) =>
    transpose(g, reshape(g, linear(g, x, which, 64), [24, 4, 16]), perm);
  const scores = matMul(g, split('query', [1, 0, 2]), split('key', [1, 2, 0]), 'scores');
  const weights = softmax(g, binary(g, 'Div', scores, g.scalar('scale', 4)), -1, 'softmax');
  const context = transpose(g, matMul(g, weights, split('value', [1, 0, 2]), 'context'), [1, 0, 2]);
  g.output(linear(g, reshape(g, context, [24, 1, 64]), 'output', 64), 'y');
}

/** Attention as one operator. */
function fusedAttention(): Model {
  const g = new Builder('fused', { domains: { 'com.microsoft': 1 } });
  const x = g.input('x', [1, 24, 64]);
  const inputs = ['query', 'key', 'value'].map((which) => linear(g, x, which, 64));
  const options = { name: 'attention', domain: 'com.microsoft', attributes: { num_heads: 4 } };
  const context = g.node('MultiHeadAttention', inputs, { dtype: 'float32', shape: [1, 24, 64] }, options);
  g.output(linear(g, context, 'output', 64), 'y');
  return g.finish();
}

/** What each part of an operator is of its dimension `axis`. */
function spansOf(program: Program, { operators }: Plan, name: string, axis: number): Record<string, readonly number[]> {
  const parts = operators[name];
  assert.ok(Array.isArray(parts), name);
  const operator = program.operators.find(({ origin }) => origin === name);
  assert.is(operator?.kind, 'compute');
  const output = operator?.kind === 'compute' ? operator.outputs[0]!.tensor : '';
  const { shape } = tensorOf(program, output);
  return Object.fromEntries(parts.map(({ device, region }) => [device, parseRegion(region ?? '', shape)![axis]!]));
}

test('channel: two matrix products need one sum instead of two gathers', async () => {
  const program = await perceptron();
  const plan = await makePlan(program, two, 'channel');
  assert.equal(plan.operators, {
    fc1: [
      { device: 'a', region: '[:,0:64]' },
      { device: 'b', region: '[:,64:256]' },
    ],
    relu1: [
      { device: 'a', region: '[:,0:64]' },
      { device: 'b', region: '[:,64:256]' },
    ],
    fc2: [
      { device: 'a', reduce: { k: '0:64' } },
      { device: 'b', reduce: { k: '64:256' } },
    ],
  });
  const [input, hidden, output] = [16 * 64 * 4, 16 * 256 * 4, 16 * 64 * 4];
  assert.is(bytesMoved(lowered(program, { cluster: two, plan }).schedule), input + output);
  const columns = [
    { device: 'a', region: '[:,0:16]' },
    { device: 'b', region: '[:,16:64]' },
  ];
  const gathers = planOf(program, { ...plan.operators, fc2: columns }, 'a');
  const moved = bytesMoved(lowered(program, { cluster: two, plan: gathers }).schedule);
  assert.is(moved, input + hidden + (output * 3) / 4);
});

test('channel: a transformer block sums twice, and whole heads stay on one device', async () => {
  const program = await imported('transformerBlock');
  const plan = await makePlan(program, two, 'channel');
  assert.equal(spansOf(program, plan, 'block.attention.softmax', 1), { a: [0, 1], b: [1, 4] });
  const { schedule } = lowered(program, { cluster: two, plan });
  const tokens = 24 * 64 * 4;
  // The input to b, both sums of the attention, the last sum to a, which wants the output.
  assert.is(bytesMoved(schedule), 4 * tokens);
  assert.is(schedule.channels.length, 4);
});

test('head: attention by heads, also where they are the first of three dimensions', async () => {
  const program = await importBuilt('flat', flatAttention);
  const plan = await makePlan(program, clusterOf({ a: 1, b: 1 }), 'head');
  for (const name of ['scores', 'softmax', 'context'])
    assert.equal(spansOf(program, plan, name, 0), { a: [0, 2], b: [2, 4] }, name);
  replay(lowered(program, { cluster: clusterOf({ a: 1, b: 1 }), plan }).schedule);
});

test('head: an attention that is one operator, by whole heads', async () => {
  const file = work.path('fused.onnx');
  writeModel(fusedAttention(), file);
  const program = await importModel(file);
  const plan = await makePlan(program, two, 'head');
  assert.equal(spansOf(program, plan, 'attention', 2), { a: [0, 16], b: [16, 64] });
  const tokens = 24 * 64 * 4;
  assert.is(bytesMoved(lowered(program, { cluster: two, plan }).schedule), 2 * tokens, 'the input, and one sum');
});

test('head: without attention there is nothing to share by heads', async () => {
  const program = await imported('convChain');
  const error = await errorOf('policy', () => makePlan(program, two, 'head'));
  assert.match(error.message, /no attention/);
  assert.match(error.context.hint!, /channel/);
});

test('one device gets everything, a slow one nothing too small', async () => {
  const program = await imported('transformerBlock');
  for (const cluster of [clusterOf({ a: 1 }), clusterOf({ a: 1, b: 2000, c: 1000 })]) {
    const { schedule } = lowered(program, { cluster, plan: await makePlan(program, cluster, 'channel') });
    replay(schedule);
  }
});

async function assertExact(build: () => Uint8Array, policies: readonly string[]): Promise<void> {
  const [model, output] = [work.path('model.onnx'), work.path('build')];
  writeFileSync(model, build());
  for (const policy of policies) {
    for (const cluster of [two, three]) await assertRuns({ model, cluster, policy, output });
  }
  rmSync(output, { recursive: true });
}

const { strings: _, ...numeric } = unusualModels;
for (const [name, build] of Object.entries({ ...models, ...numeric })) {
  test(`channel: ${name} gives what onnxruntime gives`, () => assertExact(build, ['channel']));
}

const built = (build: (g: Builder) => void) => () => {
  const g = new Builder('built');
  build(g);
  return g.finish();
};
const zoo: Readonly<Record<string, { model: () => Model; policies: readonly string[] }>> = {
  bert: { model: () => bertBase(1, 16, 1), policies: ['channel'] },
  vit: { model: () => vitB16(1, 1), policies: ['head'] },
  mobilenet: { model: () => mobilenetV2(1), policies: ['channel'] },
  'attention as one operator': { model: fusedAttention, policies: ['head'] },
  'attention in three dimensions': { model: built(flatAttention), policies: ['channel', 'head'] },
};
for (const [name, { model, policies }] of Object.entries(zoo)) {
  test(`${policies.join(', ')}: ${name} gives what onnxruntime gives`, () =>
    assertExact(() => encodeModel(model()), policies));
}

test.run();
