/** Sequences, which no device can send and no session can hand over: where a plan may run those that share one. */
import { readdirSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { decodeValueInfo, onnx } from '../../compiler/onnx/proto.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { resolvePlan } from '../../compiler/planning/resolve.ts';
import { int64s, modelBytes, node, value } from '../onnx/make.ts';
import { workFolder } from '../support/cli.ts';
import { errorOf } from '../support/error.ts';
import { clusterOf, lowered } from '../support/imported.ts';
import { replay } from '../support/replay.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('opaque');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2 });
const sequence = (name: string) =>
  decodeValueInfo(
    onnx.ValueInfoProto.encode({
      name,
      type: { sequenceType: { elemType: { tensorType: { elemType: 1 } } } },
    }).finish(),
  );
const named = (type: string, inputs: string[], output: string) => node(type, inputs, [output], {}, { name: output });
const write = (name: string, parts: Parameters<typeof modelBytes>[0]) =>
  work.write(`${name}.onnx`, modelBytes({ initializers: [int64s('0', [0], []), int64s('1', [1], [])], ...parts }));

/** One element goes round by the other device; the other is read only after it has come back. */
const model = write('round', {
  nodes: [
    named('Exp', ['x'], 'e'),
    named('SequenceConstruct', ['x', 'e'], 's'),
    named('SequenceAt', ['s', '0'], 'first'),
    named('Neg', ['first'], 'there'),
    named('Add', ['there', 'x'], 'back'),
    named('SequenceInsert', ['s', 'back'], 'longer'),
    named('SequenceAt', ['longer', '1'], 'second'),
    named('Add', ['second', 'back'], 'y'),
  ],
  inputs: [value('x', [4, 4])],
  outputs: [value('y', [4, 4])],
});
const planOf = (operators: Plan['operators']): Plan => ({ format: 1, model: 'round', policy: 'by hand', operators });
const homes = { e: 'a', s: 'a', first: 'a', there: 'b', back: 'a', longer: 'a', second: 'a', y: 'a' };

test('a sequence that two segments read is made again in the second', async () => {
  const { schedule } = lowered(await importModel(model), { cluster, plan: planOf(homes) });
  replay(schedule);
  const segments = schedule.devices[0]!.steps.filter((step) => step.kind === 'segment');
  const made = segments.map(({ operators }) => operators.map(({ origin }) => origin).filter((name) => name === 's'));
  assert.equal(made, [['s'], ['s']]);
  for (const { inputs, outputs } of segments) {
    for (const { tensor } of [...inputs, ...outputs]) assert.not(['s', 'longer'].includes(tensor));
  }
  await assertRuns({ model, cluster, plan: planOf(homes), output: work.path('round') });
});

test('a sequence is made on both devices where both read it', async () => {
  const both = [{ device: 'a' }, { device: 'b' }];
  const plan = planOf({ ...homes, s: both, e: both, first: 'b' });
  await assertRuns({ model, cluster, plan, output: work.path('both') });
});

test('a plan by which a sequence would have to travel is refused before anything is lowered', async () => {
  const imported = await importModel(model);
  for (const [operator, maker] of [
    ['first', 's'],
    ['second', 'longer'],
  ] as const) {
    const plan = planOf({ ...homes, [operator]: 'b' });
    const error = await errorOf('opaque-value', () => resolvePlan(imported, cluster, plan));
    assert.is(error.message, `"${maker}" is no tensor that a could send to b`);
    assert.equal(error.context.at, [`plan, operator "${operator}"`]);
    assert.is(error.context.hint, `run it where "${maker}" runs`);
  }
});

test('a model that takes or gives a sequence', async () => {
  const takes = write('takes', {
    nodes: [named('SequenceAt', ['s', '0'], 'y')],
    graph: { input: [sequence('s')] },
    outputs: [value('y', [4, 4])],
  });
  const gives = write('gives', {
    nodes: [named('SequenceConstruct', ['x', 'x'], 's')],
    inputs: [value('x', [4, 4])],
    outputs: [sequence('s')],
  });
  for (const [file, what] of [
    [takes, 'input'],
    [gives, 'output'],
  ] as const) {
    const compiled = () => compile({ model: file, cluster, policy: 'whole:a', output: work.path('none') });
    const error = await errorOf('opaque-value', compiled);
    assert.match(error.message, new RegExp(`^${what} "s" of the model is no tensor`));
    assert.not(readdirSync(work.path('.')).includes('none'));
  }
});

test.run();
