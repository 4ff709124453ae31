/** Closed doors: who has no key, or another's, gets nothing and disturbs nobody. */
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeFrame } from '../../runtime/frame.ts';
import type { Keys } from '../../runtime/keys.ts';
import { zeromq } from '../../runtime/modules.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { rejection } from '../support/error.ts';
import { channel, expected, type Fixture, given, LINE, ROUND_TRIP, removeBuilds, writeBuild } from './fixture.ts';
import { hold, holdWhileConnecting, holdWhileDying } from './held.ts';
import { attack, keysOf, Tap } from './hostile.ts';
import { closeAll, helloOf, open, SHORT, Stranger } from './together.ts';

const test = suite('hostile');
test.after.each(closeAll);
test.after(removeBuilds);

/** The server of a build, listening with these keys; resolves when it listens, before anybody has come. */
async function serving(build: string, keys: Keys | undefined, timeouts?: typeof SHORT) {
  let tell: (endpoint: string) => void = () => {};
  const endpoint = new Promise<string>((resolve) => {
    tell = resolve;
  });
  const transport = zeromqTransport({
    listen: 'tcp://127.0.0.1:*',
    keys,
    peers: async (listening) => {
      tell(listening ?? '');
      return {};
    },
  });
  const opening = open({ build, device: 'server', transport, ...(timeouts && { timeouts }) });
  opening.catch(() => {});
  return { opening, endpoint: await endpoint };
}

const calling = (build: string, server: string, keys: Keys | undefined, timeouts?: typeof SHORT) =>
  open({
    build,
    device: 'robot',
    transport: zeromqTransport({ keys, peers: async () => ({ server }) }),
    ...(timeouts && { timeouts }),
  });

test('devices with keys work together; others are told why they may not, and the server waits on', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { robot: right, server: own } = keysOf('robot', 'server');
  const { opening, endpoint } = await serving(build, own);
  const { robot: made } = keysOf('robot', 'server');
  await rejection(calling(build, endpoint, made, SHORT), 'peer-missing').then(({ message }) =>
    assert.match(message, /where the handshake breaks off/),
  );
  await rejection(calling(build, endpoint, undefined, SHORT), 'peer-missing').then(({ message }) =>
    assert.match(message, /where the handshake breaks off/),
  );
  const robot = await calling(build, endpoint, right);
  const server = await opening;
  const { y } = await robot.infer(given(1, 2, 3, 4));
  assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
  await robot.close();
  await server.stopped;
});

/** The server's public key is no secret: whoever has it and a key of its own is refused by the server. */
test('a key that is not listed is refused at once', async () => {
  const build = await writeBuild(ROUND_TRIP);
  // Both know each other's public key, but the server expects a robot, not a camera.
  const all = keysOf('robot', 'server', 'camera');
  const { opening, endpoint } = await serving(build, all.server);
  const error = await rejection(calling(build, endpoint, all.camera), 'key-refused');
  assert.is(error.message, "server does not take robot's key");
  const robot = await calling(build, endpoint, all.robot);
  const server = await opening;
  assert.is(server.stats().framesDropped, 1);
  await robot.close();
});

test('a device that is let in cannot say that it is another', async () => {
  // Both server and robot call the screen.
  const crowd: Fixture = { ...LINE, channels: [...LINE.channels, channel(3, 'server', 'screen')] };
  const build = await writeBuild(crowd);
  const keys = keysOf('server', 'robot', 'screen');
  let endpoint = '';
  const transport = zeromqTransport({
    listen: 'tcp://127.0.0.1:*',
    keys: keys.screen,
    peers: async (listening) => {
      endpoint = listening ?? '';
      return {};
    },
  });
  const screen = rejection(
    open({ build, device: 'screen', transport, timeouts: { connect: 2, inference: 2 } }),
    'peer-missing',
  );
  while (!endpoint) await new Promise((go) => setTimeout(go, 5));
  const { Dealer } = zeromq();
  const { server } = keys;
  assert.ok(server);
  const socket = new Dealer({
    ...server.own(),
    curveServerKey: server.of('screen'),
    routingId: 'robot/1',
    linger: 0,
    receiveTimeout: 2000,
  });
  socket.connect(endpoint);
  const hello = await helloOf(build, 'robot');
  const claim = ['shardonnx hello', hello.build, 'robot', 'robot/1'].join('\n');
  for (const proof of [undefined, server.proof('screen', claim)]) {
    await socket.send(encodeFrame({ ...hello, ...(proof !== undefined && { proof }) }));
    assert.match(String((await socket.receive())[1]), /key-mismatch/);
  }
  // Under its own name it may come; the screen goes on waiting for the robot.
  const proof = server.proof('screen', claim.replace('\nrobot\n', '\nserver\n'));
  await socket.send(encodeFrame({ ...(await helloOf(build, 'server')), proof }));
  assert.match(String((await socket.receive())[1]), /"device":"screen"/);
  assert.match((await screen).message, /waited 2 s for robot to connect/);
  socket.close();
});

test('a device that is refused asks again: its server comes back, first without keys, then with its own', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const keys = keysOf('robot', 'server');
  const first = await serving(build, keys.server);
  const robot = await calling(build, first.endpoint, keys.robot);
  await (await first.opening).close();
  const at = (own: Keys | undefined) =>
    open({
      build,
      device: 'server',
      transport: zeromqTransport({ listen: first.endpoint, keys: own, peers: async () => ({}) }),
      timeouts: SHORT,
    });
  await rejection(at(undefined), 'peer-missing');
  assert.ok(robot.stats().framesDropped > 0);
  const server = await at(keys.server);
  await robot.ready(20);
  const { y } = await robot.infer(given(1, 2, 3, 4));
  assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
  await robot.close();
  await server.stopped;
});

test('without keys who repeats what was overheard, or is of another build, does not get in', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { opening, endpoint } = await serving(build, undefined);
  const tap = await Tap.before(endpoint);
  const [robot, server] = await Promise.all([calling(build, tap.endpoint, undefined), opening]);
  await robot.infer(given(1, 2, 3, 4));
  const other = await writeBuild({ ...ROUND_TRIP, build: 'other' });
  const error = await rejection(calling(other, endpoint, undefined), 'build-mismatch');
  assert.is(error.message, 'server is not of build other, which robot is of');
  assert.is(server.stats().framesDropped, 1);
  await new Promise<void>((resolve) => {
    const again = connect(Number(endpoint.split(':').at(-1)), '127.0.0.1', () => again.write(tap.recording));
    again.on('close', () => resolve());
    again.on('error', () => {});
    again.resume();
  });
  assert.is(server.stats().framesDropped, 2);
  const { y } = await robot.infer(given(2, 2, 3, 4));
  assert.equal([...(y?.data ?? [])], expected(2, 2, 3, 4));
  await robot.close();
  await server.stopped;
  tap.close();
});

/** ZeroMQ ends a process where a heartbeat is due after the end of a connection of which it had stopped to read. */
test('a peer that sends faster than it is read, and then dies, ends its connection and not the process', async () => {
  const build = await writeBuild(ROUND_TRIP);
  // Heartbeats are due every 125 ms.
  const { opening, endpoint } = await serving(build, undefined, { connect: 20, inference: 1 });
  const digest = (await helloOf(build, 'robot')).build;
  await Promise.all([holdWhileDying(endpoint, digest, 5000), opening]);
  const [robot, server] = await Promise.all([calling(build, endpoint, undefined), opening]);
  const { y } = await robot.infer(given(1, 2, 3, 4));
  assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
  await robot.close();
  await server.stopped;
});

test('a device that gives up just when a stranger knocks does so in good order', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { opening, endpoint } = await serving(build, undefined, SHORT);
  const stranger = new Stranger(endpoint);
  // ZeroMQ's own threads bring them together meanwhile; then the deadline is over, and the stranger's turn comes.
  hold(1500);
  stranger.close();
  assert.is(
    (await rejection(opening, 'peer-missing')).message,
    `server waited 1 s for robot to connect to ${endpoint}`,
  );
});

test('connections of strangers do not stop transfers while the event loop is held', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { opening, endpoint } = await serving(build, undefined);
  const robot = await calling(build, endpoint, undefined);
  const server = await opening;
  // Whoever is greeted is greeted by the thread that moves all transfers.
  assert.ok(holdWhileConnecting(endpoint, 2000));
  await robot.infer(given(1, 2, 3, 4));
  await robot.close();
  await server.stopped;
});

for (const closed of [true, false]) {
  test(`strangers at full rate, ${closed ? 'with' : 'without'} keys: no wrong answer, no crash`, async () => {
    const build = await writeBuild(ROUND_TRIP);
    const keys: Record<string, Keys> = closed ? keysOf('robot', 'server') : {};
    const { opening, endpoint } = await serving(build, keys.server);
    const tap = await Tap.before(endpoint);
    const [robot, server] = await Promise.all([calling(build, tap.endpoint, keys.robot), opening]);
    await robot.infer(given(0, 0, 0, 0));
    const { recording } = tap;
    assert.ok(recording.length > 100);
    if (closed) assert.not.ok(recording.includes('robot'));
    let over = false;
    const key = keys.robot?.of('server');
    const attacked = attack({ endpoint, recording, device: 'robot', key, seconds: 1 }).finally(() => {
      over = true;
    });
    let inferences = 0;
    for (; !over; inferences++) {
      const { y } = await robot.infer(given(inferences, 2, 3, 4));
      assert.equal([...(y?.data ?? [])], expected(inferences, 2, 3, 4));
      await new Promise((go) => setImmediate(go));
    }
    assert.ok((await attacked) > 10);
    assert.ok(inferences > 1);
    assert.ok(server.stats().framesDropped > 10);
    assert.is(server.stats().inFlight, 0);
    await robot.close();
    await server.stopped;
    tap.close();
  });
}

test.run();
