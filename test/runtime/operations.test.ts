/** What operators of a fleet rely on: health, metrics, logs, settings from flag, environment and file. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Flags, readFlags } from '../../runtime/flags.ts';
import { rejection } from '../support/error.ts';
import { ROUND_TRIP, removeBuilds, withProgram, writeBuild } from './fixture.ts';
import { killAll, Running } from './process.ts';

const test = suite('operations');
test.after.each(killAll);
test.after(removeBuilds);

const ask = async (url: string) => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};
const lines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('health follows the device: alive, ready, draining; metrics say what it did', async () => {
  const serve = `await new Promise((go) => setTimeout(go, 400));${ROUND_TRIP.devices.server?.program}`;
  const build = await writeBuild(
    withProgram(
      ROUND_TRIP,
      'server',
      `if (globalThis.again) {${serve}} globalThis.again = true; ${ROUND_TRIP.devices.server?.program}`,
    ),
  );
  const server = new Running(build, 'server', ['--listen=tcp://127.0.0.1:*', '--http=0']);
  const [, url = ''] = await server.prints(/health and metrics at (\S+)/);
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  assert.equal(await ask(`${url}/healthz`), { status: 200, text: 'ok\n' });
  assert.is((await ask(`${url}/readyz`)).status, 503);
  assert.is((await ask(`${url}/nothing`)).status, 404);
  assert.is((await fetch(`${url}/healthz`, { method: 'POST' })).status, 405);
  assert.match((await ask(`${url}/metrics`)).text, /^shardonnx_inference_seconds_count\{device="server"\} 0$/m);
  const robot = new Running(build, 'robot', [
    `--peer=server=${endpoint}`,
    '--input=x=random',
    '--repeat=2',
    '--log-level=debug',
  ]);
  await server.prints(/ready with/);
  assert.is((await ask(`${url}/readyz`)).status, 200);
  await robot.prints(/inference in/);
  const { text } = await ask(`${url}/metrics`);
  const value = (metric: string) =>
    Number(new RegExp(`^shardonnx_${metric.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1]);
  assert.is(value('inference_seconds_count{device="server"}'), 1);
  assert.is(value('sent_bytes_total{device="server"}'), 16);
  assert.ok(value('received_bytes_total{device="server"}') >= 16);
  assert.is(value('peer_up{peer="robot",device="server"}'), 1);
  assert.is(value('dropped_frames_total{device="server"}'), 0);
  assert.is(value('repeated_total{device="server"}'), 0);
  assert.match(text, /^shardonnx_plan_in_use\{plan="[^"]+",device="server"\} 1$/m);
  assert.match(text, /^shardonnx_build_info\{build="[0-9a-f]{64}",device="server"\} 1$/m);
  assert.match(text, /^shardonnx_inference_seconds_bucket\{le="10",device="server"\} 1$/m);
  assert.match(text, /^process_resident_memory_bytes\{device="server"\} \d+$/m);
  server.signal('SIGTERM');
  await server.prints(/SIGTERM/);
  assert.is((await ask(`${url}/readyz`)).status, 503);
  assert.is((await robot.ended).status, 0);
  assert.is((await server.ended).status, 0);
});

test('logs as JSON: one object a line, errors with code, place and hint; stdout is left alone', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const server = new Running(build, 'server', ['--listen=tcp://127.0.0.1:*', '--log-format=json', '--json']);
  const [, endpoint = ''] = await server.prints(/listening at ([^\s"]+)/, 'stderr');
  const robot = new Running(build, 'robot', [
    `--peer=server=${endpoint}`,
    '--input=x=random',
    '--log-format=json',
    '--log-level=debug',
  ]);
  const [spoke, served] = [await robot.ended, await server.ended];
  assert.is(spoke.stdout, '');
  const said = lines(spoke.stderr);
  assert.equal(
    said.map(({ level, code }) => `${level} ${code}`),
    ['info ready', 'debug inference', 'info finished'],
  );
  assert.ok(
    said.every(
      ({ device, build: digest, time }) => device === 'robot' && /^[0-9a-f]{12}$/.test(String(digest)) && time,
    ),
  );
  assert.is(JSON.parse(served.stdout).ok, true);
  assert.ok(lines(served.stderr).length >= 3);
  const alone = new Running(build, 'robot', [
    '--peer=server=tcp://127.0.0.1:9',
    '--input=x=random',
    '--connect-timeout=0.3',
    '--log-format=json',
    '--log-level=error',
  ]);
  const failed = await alone.ended;
  assert.is(failed.status, 1);
  const [line] = lines(failed.stderr);
  assert.equal([line?.level, line?.code], ['error', 'peer-missing']);
  assert.match(String(line?.hint), /^start server/);
});

test('--version names the build; a port that is taken is told', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const { stdout } = await new Running(build, 'robot', ['--version']).ended;
  assert.match(stdout, /^shardonnx \S+\ndevice robot\nbuild [0-9a-f]{64}\n$/);
  const server = new Running(build, 'server', ['--listen=tcp://127.0.0.1:*', '--http=0']);
  const [, port] = await server.prints(/metrics at http:\/\/127.0.0.1:(\d+)/);
  const { status, stderr } = await new Running(build, 'robot', ['--input=x=random', `--http=${port}`]).ended;
  assert.is(status, 1);
  assert.match(stderr, /^port-in-use: --http 127.0.0.1:\d+: /);
});

test('a flag counts before the environment, the environment before the file; names of one map come together', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const file = join(build, 'robot.yaml');
  await writeFile(
    file,
    'repeat: 7\nthreads: 3\nin-flight: 2\npeer: { server: tcp://file:1, screen: tcp://file:2 }\njson: true\nlog-level: warn\n',
  );
  const env = {
    SHARDONNX_THREADS: '4',
    SHARDONNX_IN_FLIGHT: '5',
    SHARDONNX_PEER: 'server=tcp://env:1, camera=tcp://env:3',
    SHARDONNX_CONFIG: file,
  };
  const flags = await readFlags(['--in-flight=6', '--peer=camera=tcp://flag:3'], env);
  const expected: Partial<Flags> = {
    repeat: 7,
    threads: 4,
    inFlight: 6,
    json: true,
    insecure: false,
    log: { level: 'warn', format: 'text' },
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(flags[name as keyof Flags], value, name);
  assert.equal(flags.peers, { camera: 'tcp://flag:3', server: 'tcp://env:1', screen: 'tcp://file:2' });
  const json = join(build, 'robot.json');
  await writeFile(json, '{ "repeat": 8, "http": "0.0.0.0:9090", "input": { "x": "random" } }');
  const other = await readFlags(['--config', json], env);
  assert.equal([other.repeat, other.http, other.inputs], [8, { host: '0.0.0.0', port: 9090 }, { x: 'random' }]);
  // What a parent process drives hears its parent alone.
  assert.is((await readFlags(['--ipc'], env)).threads, undefined);
});

test('what makes no sense is told with the place it came from', async () => {
  const build = await writeBuild(ROUND_TRIP);
  const file = join(build, 'wrong.yaml');
  const cases: [string, NodeJS.ProcessEnv, string, string][] = [
    ['repeat: many', {}, 'bad-flag', `repeat in ${file} many is not a whole number above 0`],
    ['repaet: 1', {}, 'bad-config', `${file} has the unknown entry "repaet"`],
    ['ipc: true', {}, 'bad-config', `${file} has the unknown entry "ipc"`],
    ['- 1', {}, 'bad-config', `${file} is no list of flags and their values`],
    ['listen: [1', {}, 'bad-config', `${file} is neither YAML nor JSON`],
    ['listen: { a: { b: 1 } }', {}, 'bad-config', `${file} has no plain value at listen`],
    ['', { SHARDONNX_THREADS: '-1' }, 'bad-flag', 'SHARDONNX_THREADS -1 is not a whole number above 0'],
    ['{}', { SHARDONNX_THREADS: '-1' }, 'bad-flag', 'SHARDONNX_THREADS -1 is not a whole number above 0'],
    ['{}', { SHARDONNX_INSECURE: 'maybe' }, 'bad-flag', 'SHARDONNX_INSECURE maybe is neither true nor false'],
    ['{}', { SHARDONNX_HTTP: 'x' }, 'bad-flag', 'SHARDONNX_HTTP x is not PORT or HOST:PORT'],
    ['{}', { SHARDONNX_LOG_LEVEL: 'loud' }, 'bad-flag', 'SHARDONNX_LOG_LEVEL loud is none of debug, info, warn, error'],
  ];
  for (const [content, env, code, message] of cases) {
    await writeFile(file, content);
    const error = await rejection(readFlags(content ? ['--config', file] : [], env), code);
    assert.ok(error.message.startsWith(message), error.message);
  }
  const error = await rejection(readFlags([], { SHARDONNX_CONFIG: '/nowhere.yaml' }), 'bad-config');
  assert.is(error.message, '/nowhere.yaml does not exist (SHARDONNX_CONFIG)');
});

test.run();
