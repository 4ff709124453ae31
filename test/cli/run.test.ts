/** `run` and `verify` on builds as they should be: what they say, what they read and write. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeNpy, encodeNpy } from '../../runtime/npy.ts';
import type { Tensor } from '../../runtime/program.ts';
import { json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';
import { reference } from '../support/reference.ts';
import { encodeTensor } from '../support/tensor-proto.ts';

const test = suite('run');
const work = workFolder();
const picture = modelFile('integers');
const model = modelFile('mlp');
const build = work.path('build');
const two = work.path('two');
test.before(async () => {
  await work.compile(model, 'build');
  await work.compile(picture, 'two');
});
const memory = ['--transport', 'memory'];
const x: Tensor = { type: 'float32', dims: [4, 64], data: Float32Array.from({ length: 256 }, (_, i) => Math.sin(i)) };

test('verify: outputs that equal onnxruntime’s, as text and as JSON', async () => {
  const text = await shardonnx('verify', build, model);
  assert.is(text.status, 0);
  assert.match(text.stdout, /^equal +y: max \|Δ\| .* of the largest value\nallowed: /);
  const spoken = await shardonnx('verify', two, picture, '--json');
  assert.is(spoken.status, 0);
  const { ok, outputs } = json(spoken);
  assert.is(ok, true);
  assert.equal(
    outputs.map(({ name }: { name: string }) => name),
    ['labels', 'shown', 'embedded'],
  );
  for (const { maxAbs, maxRel, ...output } of outputs) {
    assert.is(output.ok, true);
    assert.ok(maxAbs >= 0 && maxRel >= 0);
  }
});

test('verify: another model of the same inputs is told apart, with the first value that differs', async () => {
  const bytes = readFileSync(model);
  // The last bytes of the file are the last weight's.
  bytes.writeFloatLE(5, bytes.length - 8);
  const other = work.write('other.onnx', bytes);
  const text = await shardonnx('verify', build, other);
  assert.is(text.status, 1);
  assert.match(text.stdout, /^DIFFERS y: .*; first at \[0,\d\]: [\d.e-]+, [\d.e-]+ expected\nallowed: /);
  const spoken = await shardonnx('verify', build, other, '--json');
  assert.is(spoken.status, 1);
  const { ok, outputs } = json(spoken);
  assert.is(ok, false);
  assert.ok(outputs[0].maxAbs > 0.01 && outputs[0].diverges);
  assert.is((await shardonnx('verify', build, other, '--rtol', '1e9')).status, 0, 'the tolerance is the caller’s');
});

test('run: bytes by device, latency, outputs, as text and as JSON', async () => {
  const spoken = await shardonnx('run', build, ...memory, '--repeat', '3', '--verify', model, '--json');
  assert.is(spoken.status, 0);
  const { ok, devices, latencyMs, outputs, verified } = json(spoken);
  assert.is(ok, true);
  assert.equal(Object.keys(devices), ['a', 'b']);
  assert.ok(devices.a.bytesSent > 0 && devices.a.bytesSent === devices.b.bytesReceived);
  assert.ok('peakBytes' in devices.a);
  assert.ok(latencyMs.median > 0 && latencyMs.p95 >= latencyMs.median);
  assert.equal(outputs, [{ name: 'y', dtype: 'float32', shape: [4, 10] }]);
  assert.is(verified[0].ok, true);
  const text = await shardonnx('run', build, ...memory, '--repeat', '2');
  assert.match(text.stdout, /^device +sent +received +peak memory\n/);
  assert.match(text.stdout, /^2 inferences: median [\d.]+ ms/m);
  assert.match(text.stdout, /^output y: float32\[4,10\]$/m);
});

test('run: several in flight, with the throughput', async () => {
  const several = ['--repeat', '7', '--in-flight', '3', '--verify', model];
  const { ok, throughput, devices, verified } = json(await shardonnx('run', build, ...memory, ...several, '--json'));
  assert.equal([ok, verified[0].ok, devices.a.latencyMs.length], [true, true, 7]);
  assert.ok(throughput > 0);
  const text = await shardonnx('run', build, ...memory, ...several);
  assert.match(text.stdout, /^7 inferences: median .*\n[\d.]+ inferences\/s with 3 in flight$/m);
});

test('run: a trace, and what was measured beside what was predicted', async () => {
  const file = work.path('trace.json');
  const args = ['--repeat', '5', '--in-flight', '2', '--trace', file];
  const { trace, devices } = json(await shardonnx('run', build, ...memory, ...args, '--json'));
  assert.is(trace.left, 0);
  for (const device of ['a', 'b']) {
    const steps = trace.steps.filter((step: { device: string }) => step.device === device);
    assert.is(steps.length, devices[device].segments.length);
    for (const { runs, predictedMs, measuredMs } of steps) assert.ok(runs === 5 && predictedMs > 0 && measuredMs > 0);
    assert.ok(trace.utilisation[device] > 0 && trace.utilisation[device] <= 1);
  }
  const channels = JSON.parse(readFileSync(`${build}/timeline.json`, 'utf8')).channels;
  assert.is(trace.transfers.length, channels.length);
  for (const { runs, hidden, measuredMs } of trace.transfers) {
    assert.ok(runs === 5 && measuredMs >= 0 && hidden >= 0 && hidden <= 1);
  }
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8'));
  assert.ok(traceEvents.some(({ name }: { name: string }) => name === 'segment 0'));
  const text = await shardonnx('run', build, ...memory, ...args);
  assert.match(text.stdout, /^step +predicted +measured +to be hidden +hidden\n/m);
  assert.match(text.stdout, /^communication hidden: \d+ %, predicted \d+ %\ncomputing: a \d+ %, b \d+ % of the time$/m);
});

test('run: .npy and .pb are read, outputs are written as .npy', async () => {
  const expected = (await reference(model, { x })).y!;
  const files = { 'x.npy': encodeNpy(x), 'x.pb': encodeTensor(x) };
  for (const [name, bytes] of Object.entries(files)) {
    const input = work.write(name, bytes);
    const output = work.path(`out-${name}`);
    assert.is(
      (await shardonnx('run', build, ...memory, '-i', name === 'x.pb' ? `x=${input}` : input, '-o', output)).status,
      0,
    );
    const written = decodeNpy(readFileSync(join(output, 'y.npy')), 'y.npy');
    assert.equal([written.type, [...written.dims]], ['float32', [4, 10]]);
    for (const [i, element] of (written.data as Float32Array).entries())
      assert.ok(Math.abs(element - Number(expected.data[i])) < 1e-5);
  }
});

test('run: a picture is scaled to what the model takes', async () => {
  const unet = modelFile('unet');
  const compiled = await work.compile(unet, 'picture');
  const png = join(import.meta.dirname, '../../fixtures/images/street.png');
  const spoken = await shardonnx('run', compiled, ...memory, '-i', png, '--verify', unet, '--json');
  assert.is(spoken.status, 0, spoken.stderr);
  assert.is(json(spoken).ok, true);
});

test('run: --verify that fails makes the status 1', async () => {
  const spoken = await shardonnx('run', build, ...memory, '--verify', work.path('other.onnx'), '--json');
  assert.equal([spoken.status, json(spoken).ok], [1, false]);
});

test('run: several inputs are given by name, the rest may be random', async () => {
  const ids: Tensor = { type: 'int64', dims: [1, 6], data: BigInt64Array.from([0n, 1n, 2n, 3n, 4n, 5n]) };
  writeFileSync(work.path('ids.npy'), encodeNpy(ids));
  const spoken = await shardonnx(
    'run',
    two,
    ...memory,
    '-i',
    `ids=${work.path('ids.npy')}`,
    '-i',
    'random',
    '--verify',
    picture,
    '--json',
  );
  assert.equal([spoken.status, json(spoken).ok], [0, true]);
});

test.run();
