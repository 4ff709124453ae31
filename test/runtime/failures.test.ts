/** Peers that die, hang, start again or are cut off: no hang, no wrong answer, and afterwards all goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { OpenDevice } from '../../runtime/behaviour.ts';
import { readNpy } from '../../runtime/npy.ts';
import type { NamedTensors } from '../../runtime/program.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { rejection } from '../support/error.ts';
import { TestLink } from '../support/link.ts';
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
import { killAll, Running } from './process.ts';
import { closeAll, open, Ports, SHORT, Stranger } from './together.ts';

const test = suite('failures');
test.after.each(closeAll);
test.after.each(killAll);
test.after(removeBuilds);

/** Long enough that it is under way when something happens to it. */
const pause = (ms: number) => `await new Promise((go) => setTimeout(go, ${ms}));`;
const slow = (ms: number) => withProgram(ROUND_TRIP, 'server', pause(ms) + ROUND_TRIP.devices.server?.program);
const LONG = { connect: 20, inference: 20 };
const PASSING = ['peer-lost', 'peer-failed', 'receive-timeout', 'not-ready'];

const serve = (build: string, endpoint = 'tcp://127.0.0.1:*', ...more: string[]) =>
  new Running(build, 'server', ['--listen', endpoint, '--connect-timeout=20', '--timeout=20', ...more]);

/** The robot in this process, the server in its own; between them a link that can be broken. */
async function apart(fixture: Fixture, timeouts = LONG) {
  const build = await writeBuild(fixture);
  const first = serve(build, undefined, `--timeout=${timeouts.inference}`);
  const [, endpoint = ''] = await first.prints(/listening at (\S+)/);
  const link = await TestLink.to(endpoint);
  const peers = async () => ({ server: link.endpoint });
  const robot = await open({ build, device: 'robot', transport: zeromqTransport({ peers }), timeouts, inFlight: 4 });
  return { build, first, endpoint, link, robot };
}

function right({ y }: NamedTensors, n: number): void {
  assert.equal([...(y?.data ?? [])], expected(n, 2, 3, 4));
}

/** Infers so long until it works; what fails meanwhile fails for a reason that passes. */
async function recovers(robot: OpenDevice): Promise<void> {
  await robot.ready(20);
  for (let n = 0; n < 3; n++) right(await robot.infer(given(n, 2, 3, 4)), n);
}

test('a peer that is killed in an inference and started again', async () => {
  const { build, first, endpoint, robot, link } = await apart(slow(300));
  const running = [1, 2, 3].map((n) => rejection(robot.infer(given(n, 2, 3, 4)), 'peer-lost'));
  await sleep(100);
  first.signal('SIGKILL');
  for (const { message } of await Promise.all(running)) assert.match(message, /^robot lost server: it died/);
  await rejection(robot.infer(given(1, 2, 3, 4)), 'peer-lost');
  assert.equal(robot.peers(), { server: false });
  const second = serve(build, endpoint);
  await recovers(robot);
  assert.equal(robot.peers(), { server: true });
  await robot.close();
  assert.is((await second.ended).status, 0);
  link.close();
});

test('a peer that is stopped for a while, longer than is waited for it', async () => {
  const { first, robot, link } = await apart(slow(50), SHORT);
  const running = robot.infer(given(1, 2, 3, 4));
  first.signal('SIGSTOP');
  const error = await running.then(
    () => null,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error && 'code' in error && PASSING.includes(String(error.code)), `${error}`);
  first.signal('SIGCONT');
  await recovers(robot);
  await robot.close();
  assert.is((await first.ended).signal, null);
  link.close();
});

test('a peer that says nothing but is there, and then is there again', async () => {
  const mute = `if (globalThis.mute ??= Date.now(), Date.now() - globalThis.mute < 1500) await new Promise(() => {});`;
  const { robot, link } = await apart(
    withProgram(ROUND_TRIP, 'server', mute + ROUND_TRIP.devices.server?.program),
    SHORT,
  );
  await rejection(robot.infer(given(1, 2, 3, 4)), 'receive-timeout');
  await sleep(600);
  await recovers(robot);
  link.close();
});

test('a link that is cut at any byte: each inference fails or is right, and the link is found again', async () => {
  const { first, robot, link } = await apart(ROUND_TRIP);
  right(await robot.infer(given(0, 2, 3, 4)), 0);
  let failed = 0;
  for (let bytes = 5; bytes < 600; bytes += 45) {
    let cut = false;
    link.after(bytes, () => {
      cut = true;
      link.cut();
    });
    for (let n = 0; !cut; n++) {
      const four = [n, n + 1, n + 2, n + 3].map((m) => robot.infer(given(m, 2, 3, 4)));
      for (const [i, one] of (await Promise.allSettled(four)).entries()) {
        if (one.status === 'fulfilled') right(one.value, n + i);
        else {
          assert.ok(PASSING.includes(one.reason.code), `${one.reason}`);
          failed++;
        }
      }
    }
    await recovers(robot);
  }
  assert.ok(failed > 0);
  assert.is(robot.stats().inFlight, 0);
  await robot.close();
  assert.is((await first.ended).signal, null);
  link.close();
});

test('a network that passes nothing for a while', async () => {
  const { robot, link } = await apart(ROUND_TRIP, SHORT);
  right(await robot.infer(given(1, 2, 3, 4)), 1);
  link.freeze();
  const error = await robot.infer(given(2, 2, 3, 4)).catch((reason) => reason);
  assert.ok(PASSING.includes(error.code), `${error}`);
  link.thaw();
  await recovers(robot);
  await robot.close();
  link.close();
});

test('the holder of the inputs that is killed and started again finds those that serve at work', async () => {
  const build = await writeBuild(slow(200));
  const server = serve(build);
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  const start = (...more: string[]) =>
    new Running(build, 'robot', [`--peer=server=${endpoint}`, '--input=x=random', '--connect-timeout=20', ...more]);
  const first = start('--repeat=1000', '--in-flight=3');
  await first.prints(/ready/);
  await sleep(300);
  first.signal('SIGKILL');
  const second = start('--repeat=3', `--output=${build}/out`);
  assert.is((await second.ended).status, 0);
  const third = await server.ended;
  assert.is(third.signal, null);
  assert.match(third.stdout, /robot is back/);
  assert.equal((await readNpy(`${build}/out/y.npy`)).dims, [1, 4]);
});

test('a device that stays serves one holder of the inputs after the other; SIGTERM ends it well', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const server = serve(build, undefined, '--stay');
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  for (let i = 0; i < 2; i++) {
    const robot = new Running(build, 'robot', [
      `--peer=server=${endpoint}`,
      '--input=x=random',
      '--connect-timeout=20',
    ]);
    assert.is((await robot.ended).status, 0);
  }
  server.signal('SIGTERM');
  const { status, stdout } = await server.ended;
  assert.is(status, 0);
  assert.match(stdout, /finished after 2 inferences/);
});

test('a device on the command line tells what failed, waits for its peer, and goes on', async () => {
  const build = await writeBuild(slow(30));
  const first = serve(build);
  const [, endpoint = ''] = await first.prints(/listening at (\S+)/);
  const robot = new Running(build, 'robot', [`--peer=server=${endpoint}`, '--input=x=random', '--repeat=20', '--json']);
  await sleep(700);
  first.signal('SIGKILL');
  await first.ended;
  const second = serve(build, endpoint);
  const { status, stderr, stdout } = await robot.ended;
  assert.is(status, 1);
  assert.match(stderr, /peer-lost: robot lost server/);
  const { ok, inferences } = JSON.parse(stdout);
  assert.ok(!ok && inferences === 19, stdout);
  assert.is((await second.ended).status, 0);
});

/** The robot's rows go to the server, the server's to the screen, and from there to the robot. */
const CIRCLE: Fixture = {
  ...LINE,
  devices: {
    server: {
      segments: [{ op: 'Add', weight: [1, 2, 3, 4] }],
      program: `
        const [z] = await device.segment(0, [await device.receive('robot', 0)]);
        device.send('screen', 1, z);
        return {};`,
    },
    robot: {
      segments: [{ op: 'Mul', weight: [2, 2, 2, 2] }],
      program: `
        const [h] = await device.segment(0, [inputs.x]);
        device.send('server', 0, h);
        return { y: await device.receive('screen', 2) };`,
    },
    screen: {
      segments: [{ op: 'Mul', weight: [10, 10, 10, 10] }],
      program: `
        const [y] = await device.segment(0, [await device.receive('server', 1)]);
        device.send('robot', 2, y);
        return {};`,
    },
  },
  channels: [channel(0, 'robot', 'server'), channel(1, 'server', 'screen'), channel(2, 'screen', 'robot')],
  outputDevice: 'robot',
};

test('a link that breaks between two others: the holder of the inputs waits until it is there again', async () => {
  const build = await writeBuild(CIRCLE);
  const ports = new Ports();
  const screen = open({ build, device: 'screen', transport: ports.transport('screen', []) });
  const link = await TestLink.to(await ports.of('screen'));
  const [robot] = await Promise.all([
    open({ build, device: 'robot', transport: ports.transport('robot', ['screen']) }),
    open({
      build,
      device: 'server',
      transport: zeromqTransport({ peers: async () => ({ robot: await ports.of('robot'), screen: link.endpoint }) }),
    }),
    screen,
  ]);
  right(await robot.infer(given(1, 2, 3, 4)), 1);
  for (let i = 0; i < 3; i++) {
    link.cut();
    await sleep(i * 30);
    // One that begins before the break is noticed fails, the next waits.
    const before = await robot.infer(given(2, 2, 3, 4)).catch((error) => error.code);
    assert.ok(before === 'peer-failed' || before.y, `${before}`);
    await recovers(robot);
  }
  link.close();
});

test('numbers of inferences go on where anybody has left off, and frames of earlier ones are dropped', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const failures: unknown[] = [];
  const serving = open({ build, device: 'server', transport: ports.transport('server', []), failures });
  const endpoint = await ports.of('server');
  const old = await Stranger.as(build, 'robot', endpoint);
  const server = await serving;
  const frame = (inference: number, n: number) =>
    ({ kind: 'tensor', inference, channel: 0, tensor: given(n, 2, 3, 4).x }) as const;
  await old.say({ kind: 'start', inference: 40 });
  await old.say(frame(41, 9));
  while (server.stats().inFlight < 2) await sleep(5);
  // Killed, and started again: it knows of no inference.
  old.close();
  const robot = await open({ build, device: 'robot', transport: ports.transport('robot', ['server']) });
  assert.is(robot.stats().framesDropped, 0);
  right(await robot.infer(given(3, 2, 3, 4)), 3);
  assert.equal(failures.length, 1);
  assert.is(server.stats().inFlight, 0, 'what came early of an inference that will not begin is forgotten');
  await robot.close();
});

test.run();
