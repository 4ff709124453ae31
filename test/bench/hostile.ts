/** Strangers at full rate for 30 s (--seconds) at a device that serves: wrong answers, crashes, breaks, memory. With keys and without. */
import { fork } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { OpenDevice } from '../../runtime/behaviour.ts';
import { ShardonnxError } from '../../runtime/error.ts';
import { findKeys } from '../../runtime/keys.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { expected, given, ROUND_TRIP, removeBuilds, writeBuild } from '../runtime/fixture.ts';
import { type Attack, attack, Tap } from '../runtime/hostile.ts';
import { killAll, Running } from '../runtime/process.ts';
import { closeAll, open } from '../runtime/together.ts';
import { shardonnx } from '../support/cli.ts';
import { flag, report, temporaryFolder } from './measure.ts';

const seconds = flag('--seconds', 30);
/** Before the attack, and after it. */
const PEACE = 3;
/** Seconds in which a robot that has lost its server must have it back. */
const BACK = 10;
/** MiB that the server may grow by: buffers of the connections that strangers hold at once. */
const BOUND = 64;
const MiB = 2 ** 20;

/** Resident bytes of a process; 0 where there is no /proc, or no such process. */
function resident(pid: number): number {
  const file = `/proc/${pid}/status`;
  if (!existsSync(file)) return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? 0) * 1024;
}

/** In a process of its own, so that it takes the service's turns only as any stranger would. */
function attackElsewhere(what: Attack): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), ['attack'], { serialization: 'advanced' });
  child.send(what);
  return new Promise((resolve, reject) => {
    child.on('message', (connections) => resolve(Number(connections)));
    child.on('error', reject);
    child.on('exit', (status) => status !== 0 && reject(new Error(`the attacker ended with ${status}`)));
  });
}

/** One call of the robot after the other. */
class Service {
  answers = 0;
  wrong = 0;
  /** Times that the robot lost its server. */
  breaks = 0;
  /** ms from one answer to the next. */
  longest = 0;
  /** MiB. */
  most = 0;
  /** Why there is none any more. */
  end: unknown;
  #last = performance.now();

  constructor(
    private readonly robot: OpenDevice,
    private readonly server: number,
  ) {}

  /** Until told to stop, or until the robot is not back in time. @returns answers per second */
  async run(over: () => boolean): Promise<number> {
    const [begin, before] = [performance.now(), this.answers];
    while (!over() && !this.end) {
      await this.#call().catch((error) => this.#broke(error));
      // Lets this process's other work have its turn.
      await new Promise((go) => setImmediate(go));
    }
    return (this.answers - before) / ((performance.now() - begin) / 1e3);
  }

  async #call(): Promise<void> {
    const { y } = await this.robot.infer(given(this.answers, 2, 3, 4));
    if ([...(y?.data ?? [])].join() !== expected(this.answers, 2, 3, 4).join()) this.wrong++;
    this.answers++;
    const now = performance.now();
    this.longest = Math.max(this.longest, now - this.#last);
    this.#last = now;
    if (this.answers % 100 === 0) this.most = Math.max(this.most, resident(this.server) / MiB);
  }

  async #broke(error: unknown): Promise<void> {
    if (!(error instanceof ShardonnxError)) throw error;
    this.breaks++;
    await this.robot.ready(BACK).catch((late) => {
      this.end = late;
    });
  }
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
  const transport = zeromqTransport({ keys, peers: async () => ({ server: tap.endpoint }) });
  const robot = await open({ build, device: 'robot', transport });

  const service = new Service(robot, server.pid);
  const peace = () => {
    const end = performance.now() + 1e3 * PEACE;
    return service.run(() => performance.now() > end);
  };
  const rates = [await peace()];
  const before = resident(server.pid) / MiB;
  service.longest = 0;
  let over = false;
  const what = { endpoint, recording: tap.recording, device: 'robot', key: keys?.of('server'), seconds };
  const attacked = attackElsewhere(what).finally(() => {
    over = true;
  });
  rates.push(await service.run(() => over));
  const connections = await attacked;
  rates.push(await peace());

  const after = resident(server.pid) / MiB;
  const most = Math.max(service.most, after);
  await robot.close();
  if (service.end) server.signal('SIGTERM');
  const { status, stdout, stderr } = await server.ended;
  tap.close();
  const { wrong, breaks, longest, end } = service;
  if (status !== 0 || end) process.stderr.write(`${end}\n${stderr}`);
  if (status !== 0 || end || wrong > 0 || most > before + BOUND) process.exitCode = 1;
  const [early = 0, meanwhile = 0, late = 0] = rates;
  return {
    door: closed ? 'keys' : 'open',
    seconds,
    connections,
    refused: status === 0 ? Number(JSON.parse(stdout).framesDropped) : 0,
    'answers/s before': early,
    'under attack': meanwhile,
    'after it': late,
    wrong,
    crashes: status === 0 ? 0 : 1,
    breaks,
    'longest wait ms': longest,
    'MiB before': before,
    'at most': most,
    after,
  };
}

if (process.argv[2] === 'attack') {
  process.once('message', async (given: Attack) => {
    process.send?.(await attack({ ...given, recording: Buffer.from(given.recording) }));
    process.disconnect?.();
  });
} else {
  const rows = [await underAttack(true), await underAttack(false)];
  const note = `connections: raw ones, without those that ZeroMQ makes; refused: those that showed a wrong key or password, or one that was overheard
answers: to a robot that calls without a pause, on the processors that the strangers use, too; breaks: times that it lost its server, which it must have back in ${BACK} s
MiB: of the server, which all of them call; at most ${BOUND} more than before`;
  report(rows, note);
  await closeAll();
  await killAll();
  await removeBuilds();
}
