/** The command line as users start it: a process, its streams and its exit status. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { version } from '../../compiler/version.ts';
import { assertRefused, json, spawned, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';
import { childrenOf, isAlive } from '../support/processes.ts';
import { root } from '../support/sources.ts';

const test = suite('process');
const work = workFolder();
const model = modelFile('residualBlock');
const build = work.path('build');

test('help and version end with status 0', async () => {
  const [help, said] = await Promise.all([spawned('--help'), spawned('--version')]);
  assert.equal([help.status, help.stderr], [0, '']);
  for (const command of ['inspect', 'compile', 'run', 'verify'])
    assert.match(help.stdout, new RegExp(`^ {2}${command} `, 'm'));
  assert.equal([said.status, said.stdout], [0, `${version}\n`]);
});

test('compile, then run: one process a device, nothing but JSON on stdout, status 0', async () => {
  const compiled = await spawned('compile', model, '-c', work.cluster, '-o', build, '--json');
  assert.is(compiled.status, 0, compiled.stderr);
  assert.is(json(compiled).ok, true);
  const ran = await spawned('run', build, '--repeat', '2', '--verify', model, '--json');
  assert.is(ran.status, 0, ran.stderr);
  const { ok, devices, verified } = json(ran);
  assert.equal([ok, verified[0].ok], [true, true]);
  // Peak memory is a process's own: null where all devices share one.
  for (const name of ['a', 'b']) assert.ok(devices[name].peakBytes > 1e6, name);
});

test('what is refused is said on stderr with status 1, without a stack trace', async () => {
  const refused = await spawned('compile', work.cluster, '-c', work.cluster, '-o', work.path('out'));
  assertRefused(refused, 'model-not-onnx', /two\.yaml/);
  assert.not(existsSync(work.path('out')));
});

/** Starts a long run and interrupts it at work; the devices that outlive it. */
async function interrupted(): Promise<number[]> {
  const args = ['--import', 'tsx', 'compiler/cli/main.ts', 'run', build, '--repeat', '1000000'];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'ignore' });
  const devices = () => childrenOf(child.pid!, 'main.js');
  for (let i = 0; i < 600 && devices().length < 2; i++) await sleep(100);
  const started = devices();
  assert.is(started.length, 2, 'both devices run');
  await sleep(3000);
  child.kill('SIGINT');
  await new Promise((resolve) => child.once('close', resolve));
  for (let i = 0; i < 100 && started.some(isAlive); i++) await sleep(100);
  const left = started.filter(isAlive);
  for (const pid of left) process.kill(pid, 'SIGKILL');
  return left;
}

test('an interrupted run leaves no device behind', async () => {
  assert.equal(await interrupted(), []);
});

test('a device whose parent is gone before it starts ends', async () => {
  const env = { ...process.env, NODE_PATH: join(root, 'node_modules') };
  const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const;
  const device = spawn(process.execPath, ['main.js', '--ipc'], { cwd: join(build, 'b'), env, stdio: [...stdio] });
  device.disconnect();
  const deadline = setTimeout(() => device.kill('SIGKILL'), 15_000);
  const [, signal] = await once(device, 'exit');
  clearTimeout(deadline);
  assert.is(signal, null, 'it had to be killed');
});

test.run();
