/** Whole builds at work on this machine, over both transports. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type BundleOptions, openBundle } from '../../runtime/bundle.ts';
import { rejection } from '../support/error.ts';
import { expected, type Fixture, given, LINE, ROUND_TRIP, removeBuilds, withProgram, writeBuild } from './fixture.ts';
import { pidsOf } from './process.ts';

const test = suite('bundle');
test.after(removeBuilds);

const PATIENT: BundleOptions = { timeout: 10, connectTimeout: 20 };

for (const transport of ['memory', 'tcp'] as const) {
  for (const [name, fixture] of Object.entries({ ROUND_TRIP, LINE })) {
    test(`${name} over ${transport}: several inferences`, async () => {
      const bundle = await openBundle(await writeBuild(fixture), { ...PATIENT, transport });
      const runs = [1, 2, 3].map((n) => bundle.infer(given(n, 2, 3, 4)));
      for (const [i, run] of runs.entries()) {
        const { outputs, ms } = await run;
        assert.equal([...(outputs.y?.data ?? [])], expected(i + 1, 2, 3, 4));
        assert.ok(ms > 0);
      }
      const stats = await bundle.stats();
      assert.is(stats.server?.bytesReceived, 3 * 16);
      assert.is(stats.server?.bytesSent, 3 * 16);
      assert.is(stats.server?.segments[0]?.runs, 3);
      assert.is(stats.robot?.framesDropped, 0);
      assert.is(stats.robot?.peakBytes === null, transport === 'memory');
      await bundle.close();
    });
  }
}

const BAD_SEGMENT = `await device.receive('robot', 0);
  await device.segment(0, [{ type: 'float32', dims: [3], data: new Float32Array(3) }]);
  return {};`;

for (const transport of ['memory', 'tcp'] as const) {
  test(`the device that fails is named, and all are stopped (${transport})`, async () => {
    const build = await writeBuild(withProgram(ROUND_TRIP, 'server', BAD_SEGMENT));
    const bundle = await openBundle(build, { ...PATIENT, transport });
    const [first, second] = [bundle.infer(given(1, 2, 3, 4)), bundle.infer(given(1, 2, 3, 4))];
    second.catch(() => {});
    const error = await rejection(first, 'segment-failed');
    assert.equal(error.context.at, ['device server', 'segments/0.onnx']);
    assert.equal(pidsOf(build), []);
    await rejection(second, 'segment-failed');
    await bundle.close();
  });

  test(`inputs that do not fit leave the bundle at work (${transport})`, async () => {
    const bundle = await openBundle(await writeBuild(ROUND_TRIP), { ...PATIENT, transport });
    await rejection(bundle.infer({}), 'missing-input');
    await rejection(bundle.infer({ x: { ...given(1, 2, 3, 4).x, dims: [4] } }), 'input-shape');
    const { outputs } = await bundle.infer(given(1, 2, 3, 4));
    assert.equal([...(outputs.y?.data ?? [])], expected(1, 2, 3, 4));
    await bundle.close();
    await rejection(bundle.infer(given(1, 2, 3, 4)), 'stopped');
  });

  test(`a device that never answers ends within the deadline (${transport})`, async () => {
    const build = await writeBuild(withProgram(ROUND_TRIP, 'server', 'await new Promise(() => {});'));
    const bundle = await openBundle(build, { ...PATIENT, timeout: 0.5, transport });
    const error = await rejection(bundle.infer(given(1, 2, 3, 4)), 'receive-timeout');
    assert.is(error.context.at?.[0], 'device robot');
    assert.equal(pidsOf(build), []);
  });

  test(`an altered file (${transport})`, async () => {
    const build = await writeBuild(ROUND_TRIP);
    await appendFile(join(build, 'server', 'segments', 'weights.bin'), 'x');
    const error = await rejection(openBundle(build, { ...PATIENT, transport }), 'bundle-altered');
    assert.is(error.message, 'server/segments/weights.bin is not the file that was compiled');
    assert.equal(pidsOf(build), []);
  });
}

const WAITS = 'await new Promise(() => setInterval(() => {}, 1000));';

for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
  for (const device of ['server', 'robot']) {
    test(`${device} gets ${signal} in an inference`, async () => {
      const build = await writeBuild(withProgram(ROUND_TRIP, 'server', WAITS));
      const bundle = await openBundle(build, { ...PATIENT, timeout: 1 });
      const run = bundle.infer(given(1, 2, 3, 4));
      signalTo(build, device, signal);
      if (signal === 'SIGKILL') {
        const error = await rejection(run, 'device-died');
        assert.is(error.message, `the process of ${device} was ended by SIGKILL`);
      } else {
        const message = await run.then(
          () => 'nothing was thrown',
          (error: Error) => error.message,
        );
        // On a busy machine the deadline may come before the missing heartbeats are noticed.
        const other = device === 'robot' ? 'server' : 'robot';
        assert.match(message, new RegExp(`^${other} (lost|waited 1 s for .* from) ${device}`));
      }
      assert.equal(pidsOf(build), []);
      await bundle.close();
    });
  }
}

test('a device that is killed between inferences ends the rest, and is named by the next inference', async () => {
  const build = await writeBuild(LINE);
  const bundle = await openBundle(build, PATIENT);
  await bundle.infer(given(1, 2, 3, 4));
  signalTo(build, 'screen', 'SIGKILL');
  while (pidsOf(build).length > 0) await new Promise((go) => setTimeout(go, 20));
  const error = await rejection(bundle.infer(given(1, 2, 3, 4)), 'device-died');
  assert.is(error.message, 'the process of screen was ended by SIGKILL');
});

test('a main.js that does not start is shown with what it printed', async () => {
  const build = await writeBuild(ROUND_TRIP);
  await writeFile(join(build, 'server', 'main.js'), 'throw new Error("no such thing");');
  const error = await rejection(openBundle(build, PATIENT), 'device-died');
  assert.is(error.message, 'the process of server ended with exit status 1');
  assert.match(error.format(), /no such thing/);
  assert.equal(pidsOf(build), []);
});

test('close leaves no process', async () => {
  const build = await writeBuild(LINE);
  const bundle = await openBundle(build, PATIENT);
  assert.is(pidsOf(build).length, 3);
  await bundle.close();
  assert.equal(pidsOf(build), []);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`no process outlives a parent that gets ${signal}`, async () => {
    const build = await writeBuild(ROUND_TRIP);
    const runtime = fileURLToPath(new URL('../../runtime/bundle.ts', import.meta.url));
    const code = `import(${JSON.stringify(runtime)}).then((m) => m.openBundle(process.env.BUILD)).then(() => console.log('open'));`;
    const tsx = fileURLToPath(import.meta.resolve('tsx'));
    const parent = spawn(process.execPath, ['--import', tsx, '-e', code], {
      env: { ...process.env, BUILD: build },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(parent.stdout, 'data');
    assert.is(pidsOf(build).length, 2);
    parent.kill(signal);
    await once(parent, 'close');
    for (let i = 0; i < 100 && pidsOf(build).length > 0; i++) await new Promise((go) => setTimeout(go, 20));
    assert.equal(pidsOf(build), []);
  });
}

test('folders of two builds, or none', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const other = await writeBuild({ ...ROUND_TRIP, build: 'other' } satisfies Fixture);
  await cp(join(other, 'server'), join(build, 'server'), { recursive: true });
  const error = await rejection(openBundle(build, PATIENT), 'build-mismatch');
  assert.match(error.message, /server of build other$/);
  await cp(join(build, 'robot'), join(build, 'server'), { recursive: true });
  await rejection(openBundle(build, PATIENT), 'bundle-invalid');
  const nothing = await rejection(openBundle(join(build, 'robot'), PATIENT), 'bundle-invalid');
  assert.is(nothing.message, 'bundle.json does not exist');
});

function signalTo(build: string, device: string, signal: NodeJS.Signals): void {
  const pids = pidsOf(join(build, device, 'main.js'));
  assert.is(pids.length, 1);
  for (const pid of pids) process.kill(pid, signal);
}

test.run();
