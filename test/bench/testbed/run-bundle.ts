/** Runs a build's devices as processes of the testbed's hosts of the same names. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { moduleFolders } from '../../../runtime/modules.ts';
import type { Testbed } from './testbed.ts';

const PORT = 7000;
/** Seconds until a build has ended. */
const DEADLINE = 300;

export interface Spoken {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a process says until it ends. */
export async function spoken(child: ChildProcess): Promise<Spoken> {
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE * 1000);
  const [[status], stdout, stderr] = await Promise.all([
    once(child, 'close'),
    text(child.stdout!),
    text(child.stderr!),
  ]);
  clearTimeout(timer);
  return { status, stdout, stderr };
}

/** Starts one device of a build on its host; its peers are found at their hosts' addresses. */
async function startDevice(
  testbed: Testbed,
  build: string,
  device: string,
  peers: readonly string[],
  args: readonly string[],
): Promise<ChildProcess> {
  const endpoints = await Promise.all(peers.map((peer) => testbed.endpoint(peer, PORT, device)));
  const addresses = peers.map((peer, i) => `--peer=${peer}=${endpoints[i]}`);
  const flags = ['--insecure', '--threads=1', '--connect-timeout=120', '--timeout=120', ...addresses, ...args];
  const listen = peers.length === 0 ? [`--listen=${await testbed.listen(device, PORT)}`] : [];
  const environment = { NODE_PATH: moduleFolders().join(':') };
  const main = join(build, device, 'main.js');
  return testbed.spawn(device, process.execPath, [main, ...flags, ...listen], environment);
}

/** Milliseconds of inferences of a build of two devices, of which `first` holds inputs and outputs. */
export async function latencyOf(
  testbed: Testbed,
  build: string,
  [first, second]: readonly [string, string],
  inputs: readonly string[],
  rounds: number,
): Promise<{ median: number; p95: number }> {
  const other = spoken(await startDevice(testbed, build, second, [], []));
  const given = inputs.map((name) => `--input=${name}=random`);
  const own = await startDevice(testbed, build, first, [second], [...given, `--repeat=${rounds}`, '--json']);
  const [mine, theirs] = await Promise.all([spoken(own), other]);
  if (mine.status !== 0 || theirs.status !== 0) {
    throw new Error(`a device failed\n${first}: ${mine.stderr}\n${second}: ${theirs.stderr}`);
  }
  return JSON.parse(mine.stdout).latencyMs;
}
