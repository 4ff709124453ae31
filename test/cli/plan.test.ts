/** `shardonnx plan`: the table, what --json gives, a plan that compile takes, and what is refused. */
import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePlan } from '../../compiler/planning/plan.ts';
import { comparable, TOLERANCE } from '../../compiler/policies.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { imported, modelFile } from '../support/imported.ts';

const test = suite('plan-command');
const work = workFolder();
const model = modelFile('unet');
const names = comparable(await imported('unet'));
const plan = (...more: string[]) => shardonnx('plan', model, '--cluster', work.cluster, ...more);

/** A cluster of a robot and a faster server. */
function clusterFile(name: string, robot: string, server: string, link = 'bandwidth: 1 Gbit/s'): string {
  const devices = `{ robot: ${robot}, server: ${server} }`;
  return work.write(name, `devices: ${devices}\nlinks: [{ between: [robot, server], ${link} }]\n`);
}
const powered = clusterFile(
  'powered.yaml',
  '{ power: { compute: 5 W, idle: 2 W } }',
  '{ speed: 20, power: { compute: 60 W, idle: 10 W } }',
  'link: ethernet-1000',
);

test('as text: a line a policy, which one is chosen, what binds it, how far it is from the bound', async () => {
  const { status, stdout, stderr } = await plan();
  assert.equal([status, stderr], [0, '']);
  const [head, , ...lines] = stdout.split('\n');
  assert.match(head!, /^policy +latency +throughput +energy +crosses links +peak memory +busiest$/);
  for (const [i, name] of names.entries()) {
    assert.match(lines[i]!, new RegExp(`^[* ] ${name} +[\\d.]+ ms +[\\d.]+ 1/s +\\? +\\S+ \\S+ +\\S+ \\S+ +.* %$`));
  }
  const chosen = lines.filter((line) => line.startsWith('* '));
  assert.is(chosen.length, 1);
  assert.match(
    stdout,
    new RegExp(`^chosen: ${chosen[0]!.split(' ')[1]}\nwhat binds it: .* busy \\d+ % of the time`, 'm'),
  );
  assert.match(stdout, /^no layout of these operators can be below [\d.]+ ms \([\d.]+ ×\)/m);
});

test('policies that a model has nothing for are left out', async () => {
  assert.not(names.includes('head'));
  const attentive = comparable(await imported('transformerBlock'));
  assert.equal(attentive, names.toSpliced(names.indexOf('hybrid'), 0, 'head'));
});

test('as JSON: every policy with its figures, of which none is below the bound and none clearly better than the chosen one', async () => {
  const spoken = await shardonnx('plan', model, '-c', powered, '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  const { ok, policies, chosen } = json(spoken);
  assert.is(ok, true);
  assert.equal(
    policies.map(({ name }: { name: string }) => name),
    names,
  );
  for (const one of policies) {
    for (const key of ['latencyMs', 'throughput', 'energyJ', 'peakBytes', 'lowerBoundMs']) assert.ok(one[key] > 0, key);
    assert.ok(one.bytes >= 0 && one.lowerBoundMs <= one.latencyMs, one.name);
  }
  const least = Math.min(...policies.map(({ latencyMs }: { latencyMs: number }) => latencyMs));
  const of = (name: string) => policies.find((one: { name: string }) => one.name === name);
  assert.ok(of(chosen).latencyMs <= (1 + TOLERANCE) * least, `${of(chosen).latencyMs}, ${least} is possible`);
  // Input and output cross, and nothing else.
  assert.is(of('local').bytes, 0);
  assert.is(of('offload').bytes, 4 * (3 * 32 * 48 + 2 * 64 * 96));
});

test('energy is not known where no power is given: null, not 0', async () => {
  const { policies } = json(await plan('--json', '--policy', 'local;spatial'));
  assert.equal(
    policies.map(({ name, energyJ }: { name: string; energyJ: number | null }) => [name, energyJ]),
    [
      ['local', null],
      ['spatial', null],
    ],
  );
});

test('-o writes the chosen plan, and compile takes it: the same prediction', async () => {
  const file = work.path('plan.json');
  const spoken = await plan('--policy', 'spatial;whole:b', '-o', file, '--json');
  const { policies, chosen } = json(spoken);
  assert.is(parsePlan(readFileSync(file, 'utf8')).policy, chosen);
  const compiled = await shardonnx(
    'compile',
    model,
    '-c',
    work.cluster,
    '--plan',
    file,
    '-o',
    work.path('b'),
    '--json',
  );
  const { predictedMs, bytes, policy } = json(compiled);
  const figures = policies.find(({ name }: { name: string }) => name === chosen);
  assert.equal([policy, bytes], [chosen, figures.bytes]);
  assert.ok(Math.abs(predictedMs - figures.latencyMs) < 1e-9);
  assert.match((await plan('--policy', 'local', '-o', file)).stdout, /^wrote .*plan\.json; try: shardonnx compile /m);
});

test('what a policy cannot do is told in its line; the others are compared all the same', async () => {
  const small = clusterFile('small.yaml', '{ memory: 200 KiB }', '{ memory: 1 GiB }');
  const args = ['plan', model, '-c', small, '--policy', 'local;offload'];
  const { policies, chosen } = json(await shardonnx(...args, '--json'));
  assert.is(chosen, 'offload');
  assert.is(policies[0].error.code, 'device-memory');
  assert.match(policies[0].error.message, /robot needs .* 200\.0 KiB allowed/);
  assert.match((await shardonnx(...args)).stdout, /^ {2}local +- +- .*robot needs/m);
});

test('infeasible: status 1, which limit by how much, and no plan is written', async () => {
  const none = work.path('never.json');
  const small = clusterFile('none.yaml', '{ memory: 20 KiB }', '{ memory: 20 KiB }');
  const spoken = await shardonnx('plan', model, '-c', small, '--policy', 'local;offload;spatial', '-o', none);
  assertRefused(spoken, 'infeasible', /robot needs \d[\d.]* \wiB for weights and activations, 20\.0 KiB allowed/);
  assert.is(existsSync(none), false);
});

test('refused: policies there are not, or without what they need; no cluster; no model; no place for the plan', async () => {
  assertRefused(await plan('--policy', 'fastest'), 'policy', /no policy "fastest".*policies are whole:DEVICE/s);
  assertRefused(await plan('--policy', 'spatial:4'), 'policy', /takes no argument.*write spatial/s);
  assertRefused(await plan('--policy', 'whole'), 'policy', /needs an argument.*write whole:DEVICE/s);
  assertRefused(await plan('--policy', 'whole:c'), 'policy', /no device "c"/);
  assertRefused(await shardonnx('plan', model, '-c', work.path('none.yaml2')), 'cluster', /none\.yaml2/);
  assertRefused(await shardonnx('plan', work.path('none.onnx'), '-c', work.cluster), 'model-not-a-file', /none\.onnx/);
  assertRefused(await plan('--policy', 'local', '-o', work.path('no/such/plan.json')), 'file-system', /plan\.json/);
  const spoken = await plan('--policy', 'fastest', '--json');
  assert.equal([spoken.status, json(spoken).error.code], [1, 'policy']);
});

test.run();
