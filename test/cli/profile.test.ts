/** `shardonnx profile`: a profile that compile then plans with, link tests, bad input. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProfile } from '../../compiler/profile/profile.ts';
import { assertRefused, json, shardonnx, spawned, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('profile-command');
const work = workFolder();
const model = modelFile('mlp');
const output = work.path('profile.json');

/** A cluster file whose device b has this profile. */
function clusterWith(profile: string): string {
  const file = work.path(`cluster-${profile.replace(/\W/g, '-')}.json`);
  const links = [{ between: ['a', 'b'], bandwidth: '1 Gbit/s' }];
  writeFileSync(file, JSON.stringify({ devices: { a: {}, b: { profile } }, links }));
  return file;
}
const compile = (cluster: string, ...more: string[]) =>
  shardonnx('compile', model, '--cluster', cluster, '-o', work.path('build'), ...more);

test('writes a profile that can be read, and says what is in it', async () => {
  const spoken = await shardonnx('profile', model, '-o', output, '--device-threads', '1', '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  const { ok, chains, points, left, machine, models } = json(spoken);
  const profile = parseProfile(readFileSync(output, 'utf8'));
  assert.equal([ok, left, machine.threads, models], [true, 0, 1, ['mlp.onnx']]);
  assert.is(Object.keys(profile.chains).length, chains);
  assert.ok(points > chains);
  assert.not(existsSync(`${output}.draft`));
});

test('as text: a line an operator type, and what to write into the cluster file', async () => {
  const { status, stdout } = await shardonnx('profile', model, '-o', output, '--device-threads', '1');
  assert.is(status, 0);
  assert.match(stdout, /^operators begin with +kinds +sizes +best GFLOP\/s\n/);
  assert.match(stdout, /^Gemm +\d+ +\d+ +[\d.]+$/m);
  assert.ok(stdout.includes(`devices: { NAME: { profile: ${output} } }`));
});

test('compile plans with it', async () => {
  const spoken = await compile(clusterWith(output), '--policy', 'whole:b', '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  assert.ok(json(spoken).predictedMs > 0);
});

test('compile with a table of layers says what it does not name', async () => {
  writeFileSync(work.path('layers.csv'), 'Layer;Latency [ms]\nfc1;3\nfc2;4\n');
  const spoken = await compile(clusterWith(work.path('layers.csv')), '--policy', 'whole:b', '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  assert.match(spoken.stderr, /^note: b: 4 of 6 operators are not in .*layers\.csv and cost nothing$/m);
  assert.ok(Math.abs(json(spoken).predictedMs - 7) < 1);
});

test('refused: profiles that are missing, of nothing of ours, of another model', async () => {
  assertRefused(await compile(clusterWith(work.path('none.json'))), 'profile', /cannot read/);
  writeFileSync(work.path('wrong.json'), '{"format":"x"}');
  assertRefused(await compile(clusterWith(work.path('wrong.json'))), 'profile', /no profile of shardonnx/);
  writeFileSync(work.path('other.csv'), 'Layer;Latency [ms]\nfeatures.0;3\n');
  assertRefused(await compile(clusterWith(work.path('other.csv'))), 'layer-table', /names no operator of mlp/);
  const text = readFileSync(output, 'utf8')
    .replaceAll('"Gemm ', '"Gru ')
    .replaceAll('"Relu ', '"Gru2 ')
    .replaceAll('"Softmax ', '"Gru3 ');
  writeFileSync(work.path('stranger.json'), text);
  assertRefused(await compile(clusterWith(work.path('stranger.json'))), 'profile', /knows no operator of mlp/);
});

test('refused: nothing to measure, no time, no model, no number', async () => {
  assertRefused(await shardonnx('profile'), 'flag', /nothing to measure/);
  const none = work.path('never.json');
  assertRefused(await shardonnx('profile', model, '-o', none, '--budget', '1e-9'), 'profile', /could be measured/);
  assert.not(existsSync(none));
  assert.is((await shardonnx('profile', work.path('no.onnx'), '-o', none)).status, 1);
  assertRefused(await shardonnx('profile', model, '--budget', '-1'), 'flag', /--budget -1/);
  assertRefused(await shardonnx('profile', model, '--device-threads', '0'), 'flag', /--device-threads 0/);
  assertRefused(await shardonnx('profile', model, '--cores', 'two'), 'flag', /--cores two/);
});

test('a link test between two processes', async () => {
  const port = 20_000 + (process.pid % 20_000);
  const server = spawned('profile', '--serve', `tcp://127.0.0.1:${port}`, '--timeout', '30');
  const spoken = await spawned('profile', '--link', `tcp://127.0.0.1:${port}`, '--timeout', '30', '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  const { ok, roundTripMs, latencyMs, bytesPerSecond, burstBytes } = json(spoken);
  assert.ok(ok && roundTripMs > 0 && bytesPerSecond.to > 0 && bytesPerSecond.from > 0);
  assert.ok(burstBytes >= 0);
  assert.is(latencyMs, roundTripMs / 2);
  const { status, stderr } = await server;
  assert.is(status, 0, stderr);
  assert.match(stderr, /waiting at tcp/);
});

test('refused: a link test that nobody answers', async () => {
  assertRefused(await shardonnx('profile', '--link', 'tcp://127.0.0.1:9', '--timeout', '0.2'), 'link', /no answer/);
  assertRefused(await shardonnx('profile', '--serve', 'here', '--timeout', '0.2'), 'link', /no address/);
});

test.run();
