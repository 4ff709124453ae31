/** `shardonnx simulate`: of a build and of a plan the same, as plan and compile have it; text, JSON, what is refused. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('simulate');
const work = workFolder();
const model = modelFile('unet');
const cluster = work.write(
  'powered.yaml',
  [
    'devices:',
    '  a: { power: { compute: 5 W, idle: 2 W } }',
    '  b: { speed: 2, power: { compute: 60 W, idle: 10 W, receive: 11 W } }',
    'links: [{ between: [a, b], link: ethernet-1000, latency: 0.1 ms }]',
    '',
  ].join('\n'),
);
const build = work.path('build');
const plan = join(build, 'plan.json');

test('latency, bytes and energy are what compile and plan say; a build and its plan are simulated alike', async () => {
  const compiled = await shardonnx('compile', model, '-c', cluster, '--policy', 'spatial', '-o', build, '--json');
  const planned = await shardonnx('plan', model, '-c', cluster, '--policy', 'spatial', '--json');
  const spoken = await shardonnx('simulate', build, '--json');
  assert.equal([spoken.status, spoken.stderr], [0, '']);
  const { ok, latencyMs, energyJ, bytes, hidden } = json(spoken);
  const [policy] = json(planned).policies;
  assert.equal([ok, bytes], [true, policy.bytes]);
  for (const [is, should] of [
    [latencyMs, json(compiled).predictedMs],
    [latencyMs, policy.latencyMs],
    [energyJ, policy.energyJ],
    [hidden, policy.hidden],
  ]) {
    assert.ok(Math.abs(is - should) < 1e-9 * should, `${is}, ${should} expected`);
  }
  assert.is((await shardonnx('simulate', plan, model, '-c', cluster, '--json')).stdout, spoken.stdout);
  assert.is((await shardonnx('simulate', build, '--json')).stdout, spoken.stdout, 'the same again');
});

test('as JSON: devices, links and every step, in flight as many as asked for', async () => {
  const [one, four] = [
    json(await shardonnx('simulate', build, '--in-flight', '1', '--json')),
    json(await shardonnx('simulate', build, '--json')),
  ];
  assert.equal([one.inFlight, four.inFlight], [1, 4]);
  assert.ok(Math.abs(one.throughput - 1e3 / one.latencyMs) < 1e-6 * one.throughput, 'one after the other');
  assert.ok(four.throughput > one.throughput && four.latencyInFlightMs > one.latencyInFlightMs);
  assert.equal(
    four.devices.map(({ device }: { device: string }) => device),
    ['a', 'b'],
  );
  assert.equal(Object.keys(four.devices[0].joules), ['idle', 'compute', 'send', 'receive']);
  assert.ok(
    four.devices[0].joules.compute > 0 && four.devices[1].joules.receive > 0 && four.devices[1].joules.send === 0,
  );
  assert.equal(four.links.map(({ link }: { link: string }) => link).sort(), ['a b', 'b a']);
  const { devices } = JSON.parse(readFileSync(join(build, 'timeline.json'), 'utf8'));
  const steps = devices.flatMap((own: { steps: object[] }) => own.steps);
  assert.is(four.steps.length, steps.length);
  for (const { kind, from, link, waitsMs } of four.steps) {
    assert.is(kind === 'receive', from !== undefined && link !== undefined);
    assert.equal(Object.keys(waitsMs), ['device', 'sender', 'link', 'transfer']);
  }
});

test('as text: both ways to run it, devices and links, and why the steps that wait longest wait', async () => {
  const { status, stdout } = await shardonnx('simulate', build);
  assert.is(status, 0);
  assert.match(
    stdout,
    /^alone: [\d.]+ ms, [\d.e-]+ J, [\d.]+ KiB cross links, \d+ % of their time hidden by computation$/m,
  );
  assert.match(stdout, /^4 in flight: [\d.]+ inferences a second, [\d.]+ ms each$/m);
  assert.match(stdout, /^device +busy alone +busy, 4 in flight +idle +\+ compute +\+ send +\+ receive$/m);
  assert.match(stdout, /^a b +\d+ % +\d+ % +[\d.]+ KiB +[\d.e-]+ J$/m);
  assert.match(
    stdout,
    /^b +receive \d+ +%\S+ +[\d.]+ ms .*a has not sent it yet: [\d.]+ ms; on its way over link a b: [\d.]+ ms$/m,
  );
  assert.match(stdout, /device busy with another inference: [\d.]+ ms$/m);
  const alone = await shardonnx('compile', model, '-c', work.cluster, '--policy', 'whole:a', '-o', work.path('whole'));
  assert.is(alone.status, 0);
  const whole = await shardonnx('simulate', work.path('whole'), '--in-flight', '1');
  assert.match(whole.stdout, /energy unknown, 0 B cross links/);
  assert.match(whole.stdout, /\nno step waits\n$/);
});

test('refused: neither a build nor a plan, a plan without its model or cluster, a build with them, numbers', async () => {
  const simulate = (...args: string[]) => shardonnx('simulate', ...args);
  assertRefused(await simulate(work.path('nothing')), 'file-system', /nothing/);
  assertRefused(await simulate(work.cluster, model, '-c', cluster), 'plan', /not JSON/);
  assertRefused(await simulate(plan), 'flag', /is a plan, and its model is not given/);
  assertRefused(await simulate(plan, model), 'flag', /--cluster is not given/);
  assertRefused(await simulate(plan, modelFile('mlp'), '-c', cluster), 'plan-operator', /./);
  assertRefused(await simulate(build, model), 'flag', /is a build/);
  assertRefused(await simulate(build, '-c', cluster), 'flag', /is a build/);
  for (const count of ['0', '-1', '1.5', 'x', '65']) {
    assertRefused(await simulate(build, '--in-flight', count), 'flag', /--in-flight/);
  }
  const spoken = await simulate(plan, '--json');
  assert.equal([spoken.status, json(spoken).error.code], [1, 'flag']);
});

test('refused: builds that are damaged or none', async () => {
  assertRefused(await shardonnx('simulate', work.path('.')), 'timeline', /cannot read .*timeline\.json/);
  work.write('build/timeline.json', '{"devices": 3}');
  assertRefused(await shardonnx('simulate', build), 'timeline', /devices: .*channels/);
  work.write('build/timeline.json', 'not JSON');
  assertRefused(await shardonnx('simulate', build), 'timeline', /not JSON/);
  rmSync(join(build, 'timeline.json'));
  assertRefused(await shardonnx('simulate', build), 'timeline', /cannot read/);
});

test.run();
