/** Strangers at full rate for 30 s (--seconds) at a device that serves: wrong answers, crashes, memory. With keys and without. */
import { fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findKeys } from '../../runtime/keys.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { expected, given, ROUND_TRIP, removeBuilds, writeBuild } from '../runtime/fixture.ts';
import { type Attack, attack, Tap } from '../runtime/hostile.ts';
import { killAll, Running } from '../runtime/process.ts';
import { closeAll, open } from '../runtime/together.ts';
import { shardonnx } from '../support/cli.ts';
import { flag, report, temporaryFolder } from './measure.ts';

const seconds = flag('--seconds', 30);

/** Resident bytes of a process; 0 where there is no /proc. */
function resident(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1024;
}

/** In a process of its own, so that it takes the service's turns only as any stranger would. */
function attackElsewhere(endpoint: string, recording: Buffer): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), ['attack'], { serialization: 'advanced' });
  child.send({ endpoint, recording, device: 'robot', seconds } satisfies Attack);
  return new Promise((resolve, reject) => {
    child.on('message', (connections) => resolve(Number(connections)));
    child.on('error', reject);
    child.on('exit', (status) => status !== 0 && reject(new Error(`the attacker ended with ${status}`)));
  });
}

async function underAttack(closed: boolean) {
  const build = await writeBuild(ROUND_TRIP);
  const folder = join(temporaryFolder(), 'keys');
  if (closed) await shardonnx('keys', build, '-o', folder);
  const keys = closed ? await findKeys('', 'robot', folder) : undefined;
  const args = ['--listen=tcp://127.0.0.1:*', '--json', ...(closed ? [`--keys=${folder}`] : [])];
  const server = new Running(build, 'server', args);
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/, 'stderr');
  const tap = await Tap.before(endpoint);
  const robot = await open({
    build,
    device: 'robot',
    transport: zeromqTransport({ keys, peers: async () => ({ server: tap.endpoint }) }),
  });
  let inferences = 0;
  let wrong = 0;
  const infer = async () => {
    const begin = performance.now();
    const { y } = await robot.infer(given(inferences, 2, 3, 4));
    if ([...(y?.data ?? [])].join() !== expected(inferences, 2, 3, 4).join()) wrong++;
    inferences++;
    return performance.now() - begin;
  };
  for (let i = 0; i < 1000; i++) await infer();
  const before = resident(server.pid);
  let over = false;
  const attacked = attackElsewhere(endpoint, tap.recording).finally(() => {
    over = true;
  });
  let [most, slowest] = [before, 0];
  while (!over) {
    slowest = Math.max(slowest, await infer());
    if (inferences % 100 === 0) most = Math.max(most, resident(server.pid));
    // Lets this process's other work have its turn.
    await new Promise((go) => setImmediate(go));
  }
  const connections = await attacked;
  const after = resident(server.pid);
  await robot.close();
  const { status, stdout } = await server.ended;
  tap.close();
  const { framesDropped } = JSON.parse(stdout);
  if (status !== 0 || wrong > 0) process.exitCode = 1;
  const MiB = 2 ** 20;
  return {
    door: closed ? 'keys' : 'open',
    seconds,
    connections,
    dropped: Number(framesDropped),
    inferences,
    wrong,
    crashes: status === 0 ? 0 : 1,
    'slowest ms': slowest,
    'MiB before': before / MiB,
    'MiB at most': Math.max(most, after) / MiB,
    'MiB after': after / MiB,
  };
}

if (process.argv[2] === 'attack') {
  process.once('message', async (given: Attack) => {
    process.send?.(await attack({ ...given, recording: Buffer.from(given.recording) }));
    process.disconnect?.();
  });
} else {
  const rows = [await underAttack(true), await underAttack(false)];
  report(rows, 'connections: raw ones, without those that ZeroMQ makes; memory of the server, which all of them call');
  await closeAll();
  await killAll();
  await removeBuilds();
}
