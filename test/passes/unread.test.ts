/** What nobody reads is not computed: a segment without outputs is no model that onnxruntime runs. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../../compiler/ir/program.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import type { Schedule } from '../../compiler/planning/schedule.ts';
import { models } from '../../fixtures/models.ts';
import { clusterOf, imported, lowered, type ModelName, planOf } from '../support/imported.ts';

const test = suite('unread');

function nothingUnread({ program, devices }: Schedule): void {
  const read = new Set(
    program.operators.flatMap((operator) => reads(operator).map((value) => `${operator.device} ${valueKey(value)}`)),
  );
  for (const name of program.outputs)
    read.add(`${program.placement!.outputs} ${valueKey(wholeValue(tensorOf(program, name)))}`);
  for (const operator of program.operators) {
    const made = writes(operator).map((value) => `${operator.device} ${valueKey(value)}`);
    assert.ok(made.length === 0 || made.some((value) => read.has(value)), `nobody reads ${made}`);
  }
  for (const { device, steps } of devices) {
    for (const step of steps)
      if (step.kind === 'segment') assert.ok(step.outputs.length > 0, `segment ${step.index} of ${device}`);
  }
}

test('a tile that another device computes again for itself', async () => {
  const program = await imported('mlp');
  const cluster = clusterOf({ a: 1, b: 1 });
  const softmax: Plan['operators'][string] = [{ device: 'a' }, { device: 'b', region: '[2:4,:]' }];
  nothingUnread(lowered(program, { cluster, plan: planOf(program, { softmax }, 'a') }).schedule);
});

test('a slice cut out for a device that gets it from another', async () => {
  const program = await imported('dynamicBatch');
  const cluster = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');
  const rows = [{ device: 'a' }, { device: 'b', region: '[:,:,2:5,:]' }, { device: 'c', region: '[:,:,5:8,:]' }];
  const all = [{ device: 'a' }, { device: 'b' }, { device: 'c' }];
  const plan = planOf(program, { conv1: rows, relu1: rows, conv2: all, relu2: all, rows: 'c', fc: 'c' }, 'c');
  nothingUnread(lowered(program, { cluster, plan }).schedule);
});

test('whatever the policy plans', async () => {
  const clusters = [clusterOf({ a: 1, b: 2 }), clusterOf({ a: 1, b: 2, c: 1.5 }, 'c')];
  for (const name of Object.keys(models) as ModelName[]) {
    const program = await imported(name);
    for (const cluster of clusters)
      nothingUnread(lowered(program, { cluster, plan: makePlan(program, cluster, 'spatial') }).schedule);
  }
});

test.run();
