/** Devices at work: what goes wrong in an inference is told on every device, and does not outlast the inference. */
import { isDeepStrictEqual } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OpenDevice } from '../../runtime/behaviour.ts';
import { dtypes } from '../../runtime/dtype.ts';
import { peerLost } from '../../runtime/failures.ts';
import { encodeFrame, type TensorFrame } from '../../runtime/frame.ts';
import { memoryTransport } from '../../runtime/memory-transport.ts';
import type { Device, Tensor } from '../../runtime/program.ts';
import { randomTensor } from '../../runtime/random.ts';
import { rejection } from '../support/error.ts';
import {
  channel,
  expected,
  type Fixture,
  given,
  LINE,
  ROUND_TRIP,
  removeBuilds,
  withProgram,
  writeBuild,
} from './fixture.ts';
import { closeAll, type Opening, open, Ports, SHORT, serverAndStranger } from './together.ts';

const test = suite('device');
test.after.each(closeAll);
test.after(removeBuilds);

const CALLS: Readonly<Record<string, string[]>> = { server: ['robot'], robot: ['screen'], screen: [] };

/** All devices of a fixture, and the failures they were told of. */
async function together(kind: 'memory' | 'tcp', fixture: Fixture, options: Partial<Opening> = {}) {
  const build = await writeBuild(fixture);
  const ports = new Ports();
  const memory = memoryTransport();
  const names = Object.keys(fixture.devices);
  const failures: unknown[] = [];
  const opened = await Promise.all(
    names.map((device) => {
      const calls = names.length === 3 ? (CALLS[device] ?? []) : device === 'robot' ? ['server'] : [];
      const transport = kind === 'memory' ? memory : ports.transport(device, calls);
      return open({ build, device, transport, failures, ...options });
    }),
  );
  const named = (name: string): OpenDevice => {
    const device = opened[names.indexOf(name)];
    assert.ok(device);
    return device;
  };
  return { robot: named('robot'), server: named('server'), named, failures, opened };
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error);

/** What a program of this file sends and gets back. */
let sent: { readonly tensors: readonly Tensor[]; readonly failed: unknown[]; came: number };
const sendAll = async (device: Device) => {
  for (const [i, tensor] of sent.tensors.entries()) device.send('server', 2 * i, tensor);
  for (const [i, tensor] of sent.tensors.entries()) {
    const back = await device.receive('server', 2 * i + 1);
    sent.came++;
    if (!isDeepStrictEqual({ ...back }, tensor)) sent.failed.push([tensor.type, tensor.dims]);
  }
  return {};
};
Object.assign(globalThis, { sendAll });

const FAILS_ONCE = `
  const h = await device.receive('robot', 0);
  if (h.data[0] === 0) await device.segment(0, [{ type: 'float32', dims: [3], data: new Float32Array(3) }]);
  const [z] = await device.segment(0, [h]);
  device.send('robot', 1, z);
  return {};`;

for (const kind of ['memory', 'tcp'] as const) {
  test(`a segment that fails ends that inference only (${kind})`, async () => {
    const { robot, server, failures } = await together(kind, withProgram(ROUND_TRIP, 'server', FAILS_ONCE));
    const error = await rejection(robot.infer(given(0, 0, 0, 0)), 'peer-failed');
    assert.match(error.message, /^server failed: segment-failed: segments\/0.onnx failed: .*rank.*/i);
    assert.is(failures.length, 1);
    const { y } = await robot.infer(given(1, 2, 3, 4));
    assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
    await robot.close();
    await server.stopped;
  });

  test(`a tensor that does not come in time (${kind})`, async () => {
    const silent = withProgram(ROUND_TRIP, 'server', `await device.receive('robot', 0); return {};`);
    const { robot, server } = await together(kind, silent, { timeouts: SHORT });
    const error = await rejection(robot.infer(given(1, 2, 3, 4)), 'receive-timeout');
    assert.is(error.message, 'robot waited 1 s for t1 from server');
    assert.equal(error.context.at, ['channel 1']);
    await robot.close();
    await server.stopped;
  });

  test(`a failure reaches devices that do not know the one that failed (${kind})`, async () => {
    const { robot, failures, opened } = await together(kind, withProgram(LINE, 'server', FAILS_ONCE));
    await rejection(robot.infer(given(0, 0, 0, 0)), 'peer-failed');
    for (let i = 0; i < 100 && failures.length < 2; i++) await new Promise((go) => setTimeout(go, 5));
    assert.equal(failures.map(codeOf).sort(), ['peer-failed', 'segment-failed']);
    await robot.close();
    await Promise.all(opened.map((device) => device.stopped));
  });

  test(`results come in order where the outputs are (${kind})`, async () => {
    const { robot, named } = await together(kind, LINE, { inFlight: 3 });
    const numbers = [1, 2, 3, 4, 5, 6, 7];
    const asked = Promise.all(numbers.map((n) => robot.infer(given(n, n, n, n))));
    const got: unknown[] = [];
    for await (const { inference, outputs } of named('screen').results()) {
      got.push([inference, [...(outputs.y?.data ?? [])]]);
      if (got.length === numbers.length) break;
    }
    assert.equal(
      got,
      numbers.map((n, i) => [i, expected(n, n, n, n)]),
    );
    await asked;
    assert.is(named('screen').stats().latencyMs.length, numbers.length);
  });

  test(`a program that is wrong is our bug, and the others are told (${kind})`, async () => {
    const wrong = withProgram(ROUND_TRIP, 'server', `await device.receive('robot', 0); null.oops;`);
    const { robot, server } = await together(kind, wrong);
    const bug = server.stopped.then(
      () => null,
      (error: unknown) => error,
    );
    const error = await rejection(robot.infer(given(1, 2, 3, 4)), 'peer-failed');
    assert.match(error.message, /^server failed: internal: .*oops/);
    assert.instance(await bug, TypeError);
  });

  test(`a device that is stopped is missed by the next inference (${kind})`, async () => {
    const { robot, server } = await together(kind, ROUND_TRIP);
    await robot.infer(given(1, 2, 3, 4));
    await server.close();
    for (let i = 0; i < 20; i++) await new Promise((go) => setTimeout(go, 5));
    const error = await rejection(robot.infer(given(1, 2, 3, 4)), 'peer-lost');
    assert.is(error.message, 'robot lost server: it has stopped');
    await robot.close();
    await robot.stopped;
    await rejection(robot.infer(given(1, 2, 3, 4)), 'stopped');
  });
}

for (const kind of ['memory', 'tcp'] as const) {
  test(`tensors of every dtype, empty, scalar and large, arrive as they were sent (${kind})`, async () => {
    const shapes = [[], [0, 3], [2, 3], [100_000]];
    const tensors = dtypes.flatMap((dtype) => shapes.map((shape) => randomTensor({ name: 't', dtype, shape }, 1)));
    const to = tensors.map(({ type, dims }, i) => ({
      ...channel(2 * i, 'robot', 'server'),
      dtype: type,
      shape: dims.map(() => null),
    }));
    const back = to.map((spec) => ({ ...spec, id: spec.id + 1, from: 'server', to: 'robot' }));
    const echo = withProgram(
      { ...ROUND_TRIP, channels: [...to, ...back] },
      'server',
      `for (let i = 0; i < ${2 * tensors.length}; i += 2) device.send('robot', i + 1, await device.receive('robot', i));
       return {};`,
    );
    sent = { tensors, failed: [], came: 0 };
    const { robot } = await together(kind, withProgram(echo, 'robot', 'return globalThis.sendAll(device);'));
    await robot.infer(given(0, 0, 0, 0));
    assert.is(sent.came, tensors.length);
    assert.equal(sent.failed, []);
  });
}

test('inputs that the model does not take', async () => {
  const { robot, server } = await together('memory', ROUND_TRIP);
  const { x } = given(1, 2, 3, 4);
  const missing = await rejection(robot.infer({}), 'missing-input');
  assert.is(missing.format(), 'missing-input: input "x" is missing\n  the build takes "x" float32 [1, 4]');
  await rejection(robot.infer({ x, z: x }), 'unknown-input');
  const shape = await rejection(robot.infer({ x: { ...x, dims: [4, 1] } }), 'input-shape');
  assert.is(shape.message, 'input "x" has shape [4, 1], expected [1, 4]');
  await rejection(robot.infer({ x: { ...x, data: new Float32Array(3) } }), 'input-shape');
  const dtype = await rejection(
    robot.infer({ x: { type: 'int64', dims: [1, 4], data: new BigInt64Array(4) } }),
    'input-dtype',
  );
  assert.is(dtype.message, 'input "x" has dtype int64, expected float32');
  await rejection(robot.infer({ x: { ...x, data: new Uint8Array(4) } }), 'input-dtype');
  await rejection(server.infer({ x }), 'not-input-device');
  const { y } = await robot.infer({ x });
  assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
});

const tensorFrame = (inference: number, channel: number, ...dims: number[]): TensorFrame => ({
  kind: 'tensor',
  inference,
  channel,
  tensor: { type: 'float32', dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) },
});

const BAD: Readonly<Record<string, [Uint8Array[], RegExp]>> = {
  'wrong shape': [encodeFrame(tensorFrame(0, 0, 1, 5)), /channel 0 \("t0"\) with shape \[1, 5\], expected \[1, 4\]/],
  'wrong rank': [encodeFrame(tensorFrame(0, 0, 4)), /shape \[4\], expected \[1, 4\]/],
  'not its channel': [encodeFrame(tensorFrame(0, 1, 1, 4)), /channel 1/],
  'no channel': [encodeFrame(tensorFrame(0, 77, 1, 4)), /channel 77/],
  'too few bytes': [[encodeFrame(tensorFrame(0, 0, 1, 4))[0], Buffer.alloc(15)], /15 bytes for float32 \[1, 4\]/],
  garbage: [[Buffer.from('garbage'), Buffer.alloc(3)], /a header of 7 bytes/],
  'one part': [[Buffer.alloc(16)], /1 parts instead of 2/],
};

for (const [what, [bytes, reason]] of Object.entries(BAD)) {
  test(`a peer that sends ${what}`, async () => {
    const { robot, server, failures } = await serverAndStranger();
    await robot.bytes(bytes);
    await robot.say({ kind: 'start', inference: 0 });
    const abort = await robot.hears();
    assert.ok(abort.kind === 'abort');
    assert.is(abort.inference, 0);
    assert.is(abort.code, 'bad-frame');
    assert.match(abort.message, reason);
    assert.equal(failures.map(codeOf), ['bad-frame']);
    // It still works for who sends what it should.
    await robot.say({ kind: 'start', inference: 1 });
    await robot.say(tensorFrame(1, 0, 1, 4));
    const answer = await robot.hears();
    assert.ok(answer.kind === 'tensor');
    assert.equal([...answer.tensor.data], [1, 2, 3, 4]);
    assert.is(server.stats().framesDropped, 1);
  });
}

test('a tensor that comes twice, and one of an inference that has ended', async () => {
  const { robot, server } = await serverAndStranger();
  await robot.say(tensorFrame(0, 0, 1, 4));
  await robot.say(tensorFrame(0, 0, 1, 4));
  await robot.say({ kind: 'start', inference: 0 });
  const abort = await robot.hears();
  assert.ok(abort.kind === 'abort' && abort.code === 'bad-frame');
  await robot.say(tensorFrame(0, 0, 1, 4));
  await robot.say({ kind: 'start', inference: 1 });
  await robot.say(tensorFrame(1, 0, 1, 4));
  assert.is((await robot.hears()).kind, 'tensor');
  assert.is(server.stats().framesDropped, 2);
});

test('a start out of order', async () => {
  const { robot } = await serverAndStranger();
  await robot.say({ kind: 'start', inference: 5 });
  await robot.say({ kind: 'start', inference: 0 });
  const abort = await robot.hears();
  assert.ok(abort.kind === 'abort' && abort.code === 'bad-frame');
});

test('the holder of the inputs that vanishes ends those that do not wait for it', async () => {
  const { robot, server } = await serverAndStranger(false);
  robot.close();
  const error = await rejection(server.stopped, 'peer-lost');
  assert.is(error.message, peerLost('server', 'robot', 'it died, stopped answering, or the network broke').message);
});

test.run();
