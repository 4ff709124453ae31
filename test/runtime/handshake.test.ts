/** Who may take part: each refusal is told on both sides, within the deadline. */
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { PROTOCOL } from '../../runtime/frame.ts';
import { memoryTransport } from '../../runtime/memory-transport.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { rejection } from '../support/error.ts';
import { expected, given, LINE, ROUND_TRIP, removeBuilds, writeBuild } from './fixture.ts';
import { closeAll, helloOf, open, Ports, robotAndServer, SHORT, Stranger } from './together.ts';

const test = suite('handshake');
test.after.each(closeAll);
test.after(removeBuilds);

const nobody = async () => ({ server: 'tcp://127.0.0.1:9' });

test('a peer that never comes: the caller names its address', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const robot = open({ build, device: 'robot', transport: zeromqTransport({ peers: nobody }), timeouts: SHORT });
  const error = await rejection(robot, 'peer-missing');
  assert.is(error.message, 'robot waited 1 s for server at tcp://127.0.0.1:9');
});

test('a peer that never comes: the listener names its own address', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const server = open({ build, device: 'server', transport: ports.transport('server', []), timeouts: SHORT });
  const error = await rejection(server, 'peer-missing');
  assert.is(error.message, `server waited 1 s for robot to connect to ${await ports.of('server')}`);
});

test('a peer that never comes: those that did come are told, also where they do not wait for it themselves', async () => {
  const build = await writeBuild(LINE);
  const ports = new Ports();
  ports.set('screen', 'tcp://127.0.0.1:9');
  const robot = open({ build, device: 'robot', transport: ports.transport('robot', ['screen']), timeouts: SHORT });
  const server = open({ build, device: 'server', transport: ports.transport('server', ['robot']), rejoin: false });
  await rejection(robot, 'peer-missing');
  const error = await rejection((await server).stopped, 'peer-failed');
  assert.is(error.message, 'robot failed: peer-missing: robot waited 1 s for screen at tcp://127.0.0.1:9');
});

test('in one process a peer that never comes is missed too', async () => {
  const build = await writeBuild(ROUND_TRIP);
  await rejection(open({ build, device: 'robot', transport: memoryTransport(), timeouts: SHORT }), 'peer-missing');
});

for (const kind of ['memory', 'tcp'] as const) {
  test(`two builds do not work together over ${kind}`, async () => {
    const ports = new Ports();
    const memory = memoryTransport();
    const transport = (device: string, calls: string[]) =>
      kind === 'memory' ? memory : ports.transport(device, calls);
    const robot = open({
      build: await writeBuild(ROUND_TRIP),
      device: 'robot',
      transport: transport('robot', ['server']),
    });
    const server = open({
      build: await writeBuild({ ...ROUND_TRIP, build: 'other' }),
      device: 'server',
      transport: transport('server', []),
    });
    const errors = await Promise.all([rejection(robot, 'build-mismatch'), rejection(server, 'build-mismatch')]);
    for (const { message } of errors) assert.match(message, /of build other/);
  });
}

test('another protocol version is told to both', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const server = rejection(
    open({ build, device: 'server', transport: ports.transport('server', []) }),
    'protocol-mismatch',
  );
  const newer = new Stranger(await ports.of('server'));
  await newer.say({ kind: 'hello', protocol: PROTOCOL + 1, build: 'future', device: 'robot', instance: '', next: 0 });
  const answer = await newer.hears();
  assert.ok(answer.kind === 'reject');
  assert.is(answer.code, 'protocol-mismatch');
  assert.is((await server).message, answer.message);
  newer.close();
});

test('a device that is not of the build is told to both', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const server = rejection(open({ build, device: 'server', transport: ports.transport('server', []) }), 'unknown-peer');
  const stranger = new Stranger(await ports.of('server'));
  await stranger.say({ ...(await helloOf(build, 'robot')), device: 'camera' });
  const answer = await stranger.hears();
  assert.ok(answer.kind === 'reject');
  assert.is(answer.code, 'unknown-peer');
  assert.is((await server).message, 'server met camera where it expects robot');
  stranger.close();
});

test('an address of the wrong device is told to both', async () => {
  const build = await writeBuild(LINE);
  const ports = new Ports();
  const server = open({
    build,
    device: 'server',
    transport: zeromqTransport({ peers: async () => ({ robot: await ports.of('screen') }) }),
  });
  const screen = open({ build, device: 'screen', transport: ports.transport('screen', []) });
  const errors = await Promise.all([rejection(server, 'unknown-peer'), rejection(screen, 'unknown-peer')]);
  for (const { message } of errors) assert.is(message, 'screen met server where it expects robot');
});

test('a second device of one name is told to both while devices join', async () => {
  const build = await writeBuild(LINE);
  const ports = new Ports();
  ports.set('screen', 'tcp://127.0.0.1:9');
  const robot = rejection(
    open({ build, device: 'robot', transport: ports.transport('robot', ['screen']) }),
    'duplicate-peer',
  );
  const first = await Stranger.as(build, 'server', await ports.of('robot'));
  const second = new Stranger(await ports.of('robot'));
  await second.say(await helloOf(build, 'server'));
  assert.is((await first.hears()).kind, 'ping');
  await first.say({ kind: 'pong' });
  const answer = await second.hears();
  assert.ok(answer.kind === 'reject' && answer.code === 'duplicate-peer');
  assert.is((await robot).message, answer.message);
  first.close();
  second.close();
});

test('a device that starts again while others are still missing is taken back', async () => {
  const build = await writeBuild(LINE);
  const ports = new Ports();
  ports.set('screen', 'tcp://127.0.0.1:9');
  const opening = open({ build, device: 'robot', transport: ports.transport('robot', ['screen']), timeouts: SHORT });
  const robot = rejection(opening, 'peer-missing');
  const first = await Stranger.as(build, 'server', await ports.of('robot'));
  first.close();
  await new Promise((go) => setTimeout(go, 300));
  await Stranger.as(build, 'server', await ports.of('robot'));
  assert.match((await robot).message, /for screen at/);
});

test('once all have joined, a second device of one name is refused and the others work on', async () => {
  const { build, ports, robot, server } = await robotAndServer();
  const second = open({ build, device: 'robot', transport: ports.transport('robot', ['server']) });
  const error = await rejection(second, 'duplicate-peer');
  assert.is(error.message, 'a second robot called server');
  const { y } = await robot.infer(given(1, 2, 3, 4));
  assert.equal([...(y?.data ?? [])], expected(1, 2, 3, 4));
  assert.is(server.stats().framesDropped, 1);
  await robot.close();
  await server.stopped;
});

test('garbage from strangers is dropped and counted', async () => {
  const { build, ports, robot, server } = await robotAndServer();
  const endpoint = await ports.of('server');
  const stranger = new Stranger(endpoint, (await helloOf(build, 'robot')).build);
  await stranger.bytes([Buffer.from('hello?')]);
  await stranger.bytes([Buffer.alloc(16), Buffer.alloc(3)]);
  await stranger.say({ kind: 'start', inference: 0 });
  const port = Number(endpoint.split(':').at(-1));
  const raw = connect(port, '127.0.0.1', () => raw.end(Buffer.alloc(200, 'GET / HTTP/1.0\r\n')));
  raw.on('error', () => {});
  for (let i = 0; i < 3; i++) {
    const { y } = await robot.infer(given(1, 2, 3, i));
    assert.equal([...(y?.data ?? [])], expected(1, 2, 3, i));
  }
  for (let i = 0; i < 100 && server.stats().framesDropped < 3; i++) await new Promise((go) => setTimeout(go, 10));
  assert.ok(server.stats().framesDropped >= 3);
  stranger.close();
  raw.destroy();
  await robot.close();
  await server.stopped;
});

test('where others can reach it, a device wants keys', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const peers = async () => ({ server: 'tcp://203.0.113.1:7000' });
  const listening = open({ build, device: 'server', transport: zeromqTransport({ listen: 'tcp://0.0.0.0:*', peers }) });
  const error = await rejection(listening, 'keys-needed');
  assert.match(error.context.hint ?? '', /^"shardonnx keys robot server -o keys" makes them/);
  await rejection(open({ build, device: 'robot', transport: zeromqTransport({ peers }) }), 'keys-needed');
  const asked = zeromqTransport({ peers, insecure: true });
  await rejection(open({ build, device: 'robot', transport: asked, timeouts: SHORT }), 'peer-missing');
});

test('a port in use, an address that is none, and no address', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const server = rejection(
    open({ build, device: 'server', transport: ports.transport('server', []) }),
    'build-mismatch',
  );
  const listen = await ports.of('server');
  const at = (listen: string | undefined) =>
    open({ build, device: 'server', transport: zeromqTransport({ listen, insecure: true, peers: async () => ({}) }) });
  const error = await rejection(at(listen), 'port-in-use');
  assert.is(error.message, `server cannot listen at ${listen}: another process does`);
  for (const wrong of ['nonsense', 'tcp://127.0.0.1:99999', 'tcp://127.0.0.1', 'tcp://203.0.113.1:7000']) {
    await rejection(at(wrong), 'bad-endpoint');
  }
  await rejection(at(undefined), 'no-endpoint');
  const caller = (server: string | undefined) =>
    open({
      build,
      device: 'robot',
      transport: zeromqTransport({ peers: async (): Promise<Record<string, string>> => (server ? { server } : {}) }),
    });
  for (const wrong of ['nonsense', 'tcp://127.0.0.1:0', 'tcp://127.0.0.1:*']) {
    await rejection(caller(wrong), 'bad-endpoint');
  }
  await rejection(caller(undefined), 'no-endpoint');
  // So that it does not go on waiting for a robot.
  await new Stranger(listen).say({ ...(await helloOf(build, 'robot')), build: 'other' });
  await server;
});

test.run();
