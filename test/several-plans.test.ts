/** Several plans in one bundle: equal results, weights stored once, the plan that fits the link, and one for when peers are lost. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import * as ort from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../compiler/compile.ts';
import type { OpenDevice } from '../runtime/behaviour.ts';
import { Choice } from '../runtime/choice.ts';
import { type DeviceManifest, memoryTransport, openBundle, openDevice, randomTensor } from '../runtime/index.ts';
import { zeromqTransport } from '../runtime/zeromq-transport.ts';
import { killAll, Running } from './runtime/process.ts';
import { workFolder } from './support/cli.ts';
import { rejection } from './support/error.ts';
import { clusterOf, imported, modelFile, planOf } from './support/imported.ts';
import { TestLink } from './support/link.ts';
import { programsOf } from './support/programs.ts';

const test = suite('several plans');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 1 });
const build = work.path('build');
const opened: OpenDevice[] = [];

/** Two ways to share the first layer, and one that needs no peer; the last has the lowest bandwidths. */
test.before(async () => {
  const program = await imported('mlp');
  const columns = (cut: number) => [
    { device: 'a', region: `[:,0:${cut}]` },
    { device: 'b', region: `[:,${cut}:128]` },
  ];
  const plans = [80, 40].map((cut) => planOf(program, { fc1: columns(cut), relu1: columns(cut) }, 'b'));
  await compile({ model: modelFile('mlp'), cluster, several: { plans, fallback: true }, output: build });
  // The cost model would keep one of the two: what is tested is that they can be had.
  await compile({ model: modelFile('mlp'), cluster, plan: plans[0], output: work.path('single') });
});
test.after.each(async () => {
  await Promise.all(opened.splice(0).map((device) => device.close()));
  await killAll();
});

const manifestOf = (device: string, folder = build): DeviceManifest =>
  JSON.parse(readFileSync(join(folder, device, 'device.json'), 'utf8'));

test('device.json names the plans, and numbers of channels and segments are shared by none', () => {
  for (const device of ['a', 'b']) {
    const { plans = [], channels, segments, files } = manifestOf(device);
    assert.ok(plans.length >= 2);
    assert.equal(plans.at(-1)?.devices, ['a']);
    assert.is(new Set(channels.map(({ id }) => id)).size, channels.length);
    assert.is(new Set(segments.map(({ file }) => file)).size, segments.length);
    const programs = Object.keys(files).filter((name) => /^program.*\.js$/.test(name));
    assert.is(programs.length, plans.length);
  }
});

test('weights are stored once: what all plans need together, and no more', () => {
  const size = (folder: string, device: string) => statSync(join(folder, device, 'segments', 'weights.bin')).size;
  const whole = 4 * (64 * 128 + 128 * 96 + 96 * 10);
  // Columns 0:80 beside all of them, for the plan without a peer: other bytes, the rest is stored once.
  assert.ok(size(build, 'a') >= whole && size(build, 'a') < whole + 4 * 64 * 128 + 3 * 4096, `${size(build, 'a')}`);
  assert.ok(readdirSync(join(build, 'b', 'segments')).filter((name) => name === 'weights.bin').length === 1);
});

const inputsOf = (manifest: DeviceManifest, seed: number) =>
  Object.fromEntries(manifest.inputs.map((spec) => [spec.name, randomTensor(spec, seed)]));

/** What the model gives for each seed, by plain onnxruntime. */
async function reference(seeds: readonly number[]): Promise<Float32Array[]> {
  const session = await ort.InferenceSession.create(modelFile('mlp'), { intraOpNumThreads: 1 });
  const results: Float32Array[] = [];
  for (const seed of seeds) {
    const feeds = Object.entries(inputsOf(manifestOf('a'), seed)).map(([name, { type, data, dims }]) => [
      name,
      new ort.Tensor(type, data, dims),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds));
    const [data] = Object.values(outputs).map((tensor) => tensor.data);
    assert.instance(data, Float32Array);
    if (data instanceof Float32Array) results.push(data);
  }
  await session.release();
  return results;
}

function near(actual: unknown, expected: Float32Array | undefined): void {
  assert.instance(actual, Float32Array);
  const values = actual instanceof Float32Array ? [...actual] : [];
  assert.is(values.length, expected?.length);
  for (const [i, value] of values.entries()) assert.ok(Math.abs(value - (expected?.[i] ?? Number.NaN)) < 1e-4);
}

for (const transport of ['memory', 'tcp'] as const) {
  test(`each plan gives the same (${transport})`, async () => {
    const [expected] = await reference([7]);
    for (const [plan, { name, devices }] of (manifestOf('a').plans ?? []).entries()) {
      const bundle = await openBundle(build, { transport, plan, timeout: 20 });
      const { outputs } = await bundle.infer(inputsOf(manifestOf('a'), 7));
      near(Object.values(outputs)[0]?.data, expected);
      const { a, b } = await bundle.stats();
      assert.equal(a?.plans, { [name]: 1 });
      assert.is(b?.latencyMs.length, devices.includes('b') ? 1 : 0);
      await bundle.close();
    }
  });
}

test('plans that change in the middle of a stream: each result is its own, in order', async () => {
  const transport = memoryTransport();
  const [a, b] = await Promise.all(
    ['a', 'b'].map(async (device) =>
      openDevice({
        directory: join(build, device),
        program: await programsOf(build, device),
        transport,
        threads: 1,
        inFlight: 4,
      }),
    ),
  );
  assert.ok(a && b);
  opened.push(a, b);
  const count = manifestOf('a').plans?.length ?? 0;
  const seeds = Array.from({ length: 30 }, (_, i) => i);
  const expected = await reference(seeds);
  const order: number[] = [];
  await Promise.all(
    seeds.map(async (seed) => {
      a.use(seed % count);
      const outputs = await a.infer(inputsOf(manifestOf('a'), seed));
      order.push(seed);
      near(Object.values(outputs)[0]?.data, expected[seed]);
      a.use((seed + 1) % count);
    }),
  );
  assert.equal(order, seeds);
  assert.ok(Object.keys(a.stats().plans).length > 1);
  await assert.throws(() => a.use(count), /there is no plan/);
});

const serve = (...more: string[]) =>
  new Running(build, 'b', ['--listen=tcp://127.0.0.1:*', '--connect-timeout=20', '--timeout=20', ...more]);

/** Device a in this process, b in its own. */
async function apart() {
  const server = serve();
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  const link = await TestLink.to(endpoint);
  const a = await openDevice({
    directory: join(build, 'a'),
    program: await programsOf(build, 'a'),
    transport: zeromqTransport({ peers: async () => ({ b: link.endpoint }) }),
    timeouts: { connect: 20, inference: 2 },
    threads: 1,
    inFlight: 4,
  });
  opened.push(a);
  return { a, server, endpoint, link };
}

/** Infers until the plan in use is (or is not) the one that needs no peer. */
async function until(a: OpenDevice, alone: boolean, expected: Float32Array | undefined): Promise<void> {
  const last = manifestOf('a').plans?.at(-1)?.name;
  for (const end = performance.now() + 20_000; performance.now() < end; ) {
    const outputs = await a.infer(inputsOf(manifestOf('a'), 3));
    near(Object.values(outputs)[0]?.data, expected);
    if ((a.stats().plan === last) === alone) return;
    await sleep(50);
  }
  assert.unreachable(`still ${a.stats().plan}`);
}

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  test(`a peer that gets ${signal}: no inference fails, and its plan is used again when it is back`, async () => {
    const [expected] = await reference([3]);
    const { a, server, endpoint, link } = await apart();
    a.use(0);
    await until(a, false, expected);
    const running = Array.from({ length: 8 }, () => a.infer(inputsOf(manifestOf('a'), 3)));
    server.signal(signal);
    const more = Array.from({ length: 8 }, () => a.infer(inputsOf(manifestOf('a'), 3)));
    for (const one of await Promise.all([...running, ...more])) near(Object.values(one)[0]?.data, expected);
    await until(a, true, expected);
    if (signal === 'SIGSTOP') server.signal('SIGCONT');
    else serve(`--listen=${endpoint}`);
    await until(a, false, expected);
    assert.is(a.stats().inFlight, 0);
    link.close();
  });
}

test('a device that finds nobody goes to work alone; without such a plan it says who is missing', async () => {
  const nobody = zeromqTransport({ peers: async () => ({ b: 'tcp://127.0.0.1:9' }) });
  const timeouts = { connect: 0.3, inference: 2 };
  const a = await openDevice({
    directory: join(build, 'a'),
    program: await programsOf(build, 'a'),
    transport: nobody,
    timeouts,
  });
  opened.push(a);
  await a.infer(inputsOf(manifestOf('a'), 1));
  const single = join(work.path('single'), 'a');
  const { program } = await import(pathToFileURL(join(single, 'program.js')).href);
  await rejection(openDevice({ directory: single, program, transport: nobody, timeouts }), 'peer-missing');
});

test('a link that becomes slow and fast again is noticed, also while nothing crosses it', async () => {
  const { a, link } = await apart();
  for (const rate of [20_000, 200_000, 4_000_000]) {
    link.rate = rate;
    let bandwidth = 0;
    const fits = () => bandwidth > rate / 2 && bandwidth < rate * 2;
    for (const end = performance.now() + 15_000; performance.now() < end && !fits(); ) {
      await sleep(200);
      bandwidth = a.stats().bandwidth ?? 0;
    }
    assert.ok(fits(), `${rate} bytes/s taken for ${bandwidth}`);
  }
  link.close();
});

test('a plan is kept near its border, left at once far from it, and after some inferences in between', () => {
  const plan = (name: string, bandwidth: [number, number] | null, devices = ['a', 'b']) => ({
    name,
    devices,
    bandwidth,
    seconds: 0,
  });
  const plans = [plan('middle', [10, 20]), plan('slow', [1, 10]), plan('fast', [20, 40]), plan('alone', null, ['a'])];
  let ready = true;
  const choice = new Choice({ ...manifestOf('a'), plans }, (devices) => ready || devices.length === 0);
  const run = (...bandwidths: (number | null)[]) => bandwidths.map((one) => plans[choice.next(one)]?.name);
  assert.equal(run(null, 15, 21, 19, 21, 9, 15), Array(7).fill('middle'));
  assert.equal(run(30, 24), ['fast', 'fast']);
  assert.equal(run(19, 19, 19, 19, 19, 19), ['fast', 'fast', 'fast', 'fast', 'middle', 'middle']);
  assert.equal(run(0.1), ['slow']);
  ready = false;
  assert.equal(run(0.1, 15), ['alone', 'alone']);
  ready = true;
  assert.equal(run(15), ['middle']);
  choice.use(3);
  assert.equal(run(15, null), ['alone', 'alone']);
});

test.run();
