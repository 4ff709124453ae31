/** Devices from the command line, one process each, as on two machines. */
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readNpy, writeNpy } from '../../runtime/npy.ts';
import { expected, given, LINE, ROUND_TRIP, removeBuilds, withProgram, writeBuild } from './fixture.ts';
import { killAll, Running } from './process.ts';

const test = suite('main');
test.after.each(killAll);
test.after(removeBuilds);

const DEADLINES = ['--connect-timeout', '20', '--timeout', '10'];
const start = (build: string, device: string, ...args: string[]) => new Running(build, device, [...DEADLINES, ...args]);

/** The server of a two-device build, and where it listens. */
async function serverOf(build: string) {
  const server = start(build, 'server', '--listen', 'tcp://127.0.0.1:*');
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  return { server, peer: ['--peer', `server=${endpoint}`] };
}

test('two devices, files in and files out', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { server, peer } = await serverOf(build);
  const [input, output] = [join(build, 'x.npy'), join(build, 'out')];
  await writeNpy(input, given(1, 2, 3, 4).x);
  const trace = join(build, 'trace.json');
  const flags = ['--input', `x=${input}`, '--output', output, '--repeat', '3', '--in-flight', '2', '--trace', trace];
  const robot = start(build, 'robot', ...peer, ...flags, '--json');
  const ended = await robot.ended;
  assert.is(ended.status, 0, ended.stderr);
  const { ok, inferences, latencyMs, device, bytesSent } = JSON.parse(ended.stdout);
  assert.equal({ ok, inferences, device, bytesSent }, { ok: true, inferences: 3, device: 'robot', bytesSent: 3 * 16 });
  assert.ok(latencyMs.median > 0 && latencyMs.p95 >= latencyMs.median);
  assert.equal([...(await readNpy(join(output, 'y.npy'))).data], expected(1, 2, 3, 4));
  const { traceEvents } = JSON.parse(await readFile(trace, 'utf8'));
  assert.is(traceEvents.filter(({ cat, ph }: { cat: string; ph: string }) => cat === 'send' && ph === 'X').length, 3);
  const served = await server.ended;
  assert.is(served.status, 0, served.stderr);
  assert.match(served.stdout, /ready with robot, server/);
  assert.match(served.stdout, /finished after 3 inferences/);
});

test('outputs on another device than the inputs', async () => {
  const build = await writeBuild(LINE);
  const screen = start(build, 'screen', '--listen', 'tcp://127.0.0.1:*', '--output', join(build, 'out'));
  const [, screenAt = ''] = await screen.prints(/listening at (\S+)/);
  const robot = start(
    build,
    'robot',
    '--listen',
    'tcp://127.0.0.1:*',
    '--peer',
    `screen=${screenAt}`,
    '--input=x=random',
  );
  const [, robotAt = ''] = await robot.prints(/listening at (\S+)/);
  const server = start(build, 'server', '--peer', `robot=${robotAt}`);
  for (const one of [screen, robot, server]) {
    const { status, stderr } = await one.ended;
    assert.is(status, 0, stderr);
  }
  assert.equal((await readNpy(join(build, 'out', 'y.npy'))).dims, [1, 4]);
});

test('a peer that is killed is noticed at once', async () => {
  const build = await writeBuild(
    withProgram(ROUND_TRIP, 'server', `await new Promise(() => setInterval(() => {}, 1000));`),
  );
  const { server, peer } = await serverOf(build);
  const robot = start(build, 'robot', ...peer, '--input=x=random', '--timeout', '20');
  await robot.prints(/ready/);
  server.signal('SIGKILL');
  const { status, stderr } = await robot.ended;
  assert.is(status, 1);
  assert.match(stderr, /^peer-lost: robot lost server: it died/m);
  assert.not.match(stderr, /\.js:\d+/);
});

test('a peer that is frozen is noticed within the deadline', async () => {
  const build = await writeBuild(
    withProgram(ROUND_TRIP, 'server', `await new Promise(() => setInterval(() => {}, 1000));`),
  );
  const { server, peer } = await serverOf(build);
  const robot = start(build, 'robot', ...peer, '--input=x=random', '--timeout=2');
  await robot.prints(/ready/);
  server.signal('SIGSTOP');
  const { status, stderr } = await robot.ended;
  assert.is(status, 1);
  assert.match(stderr, /^(peer-lost: robot lost server|receive-timeout: robot waited 2 s for t1 from server)/m);
});

test('SIGTERM and SIGINT stop a serving device in good order, ready or not', async () => {
  const build = await writeBuild(ROUND_TRIP);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { server } = await serverOf(build);
    server.signal(signal);
    assert.is((await server.ended).status, 0);
  }
});

for (const device of ['robot', 'server'] as const) {
  test(`SIGTERM on the ${device}: the inference in flight is finished, then it ends with 0`, async () => {
    const at = 'process.stderr.write("at work\\n"); await new Promise((go) => setTimeout(go, 300));';
    const slow = await writeBuild(withProgram(ROUND_TRIP, device, at + ROUND_TRIP.devices[device]?.program));
    const { server, peer } = await serverOf(slow);
    const output = join(slow, 'out');
    const repeat = device === 'robot' ? '1000' : '1';
    const robot = start(slow, 'robot', ...peer, '--input=x=random', '--repeat', repeat, '--output', output);
    const told = { robot, server }[device];
    await told.prints(/at work/, 'stderr');
    told.signal('SIGTERM');
    for (const one of [robot, server]) {
      const { status, stderr, stdout } = await one.ended;
      assert.is(status, 0, stderr);
      assert.match(stdout, /finished after 1 inferences/);
    }
    assert.equal((await readNpy(join(output, 'y.npy'))).dims, [1, 4]);
  });
}

test('a peer that never comes', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const robot = start(build, 'robot', '--peer=server=tcp://127.0.0.1:9', '--input=x=random', '--connect-timeout=0.5');
  const { status, stderr, stdout } = await robot.ended;
  assert.is(status, 1);
  assert.is(stdout, '');
  assert.match(stderr, /^peer-missing: robot waited 0.5 s for server at tcp:\/\/127.0.0.1:9\n {2}start server/);
});

test('an altered, a missing and an added file', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const first = async () => (await start(build, 'robot', '--input=x=random').ended).stderr;
  await appendFile(join(build, 'robot', 'segments', '0.onnx'), 'x');
  assert.match(await first(), /^bundle-altered: robot\/segments\/0.onnx is not the file that was compiled\n {2}at /);
  await rm(join(build, 'robot', 'segments', '0.onnx'));
  assert.match(await first(), /^bundle-altered: robot\/segments\/0.onnx is missing/);
  const other = await writeBuild(ROUND_TRIP);
  await mkdir(join(other, 'robot', 'node_modules'));
  await writeFile(join(other, 'robot', 'segments', 'extra.bin'), '');
  const { stderr } = await start(other, 'robot', '--input=x=random').ended;
  assert.match(stderr, /^bundle-altered: robot\/segments\/extra.bin does not belong to the build/);
});

test('a device without its dependencies says how to get them', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const robot = new Running(build, 'robot', ['--input=x=random'], { NODE_PATH: '' });
  const { status, stderr } = await robot.ended;
  assert.is(status, 1);
  assert.is(
    stderr,
    `dependency-missing: onnxruntime-node is not installed\n  run "npm install" in ${join(build, 'robot')}\n`,
  );
});

test('flags, inputs and device.json that make no sense', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const wrong = join(build, 'wrong.npy');
  await writeNpy(wrong, { type: 'int64', dims: [1, 4], data: new BigInt64Array(4) });
  const cases: [string[], RegExp][] = [
    [['--nonsense'], /^bad-flag: .*--nonsense/],
    [['--repeat', '0'], /^bad-flag: --repeat 0 is not a whole number above 0/],
    [['--peer', 'server'], /^bad-flag: --peer server is not of the form NAME=tcp/],
    [['--peer', 'servr=tcp://127.0.0.1:1'], /^bad-flag: --peer servr: the other devices of this build are server/],
    [[], /^missing-input: input "x" is missing\n {2}the build takes "x" float32 \[1, 4\]/],
    [['--input=z=random'], /^unknown-input: the build has no input "z"/],
    [['--input=x=/nowhere.npy'], /^npy-invalid: \/nowhere.npy does not exist/],
    [[`--input=x=${wrong}`], /^input-dtype: input "x" has dtype int64, expected float32/],
  ];
  for (const [args, message] of cases) {
    const { status, stderr } = await start(build, 'robot', ...args).ended;
    assert.is(status, 1);
    assert.match(stderr, message);
    assert.not.match(stderr, /\.js:\d+/);
  }
  const helped = await start(build, 'robot', '--help').ended;
  assert.is(helped.status, 0);
  assert.match(helped.stdout, /connects to server/);
  const file = join(build, 'robot', 'device.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace('"float32"', '"float31"'));
  const { stderr } = await start(build, 'robot', '--input=x=random').ended;
  assert.match(stderr, /^bundle-invalid: device.json has the unknown dtype float31 at inputs\[0\].dtype/);
});

test.run();
