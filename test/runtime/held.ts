/** Others at work while nothing of this process's JavaScript runs, as in a long segment: in a process of their own. */
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { encodeFrame, PROTOCOL } from '../../runtime/frame.ts';
import { passOf } from '../../runtime/handshake.ts';
import { zeromq } from '../../runtime/modules.ts';

const FILE = fileURLToPath(import.meta.url);
/** ms for which a process is held that a peer dies of. */
const HELD = 2500;

export const hold = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** A stranger connects so many times, one after the other, each until ZeroMQ greets it. @returns whether it could, within 20 s */
export const holdWhileConnecting = (endpoint: string, times: number): boolean =>
  spawnSync(process.execPath, [...process.execArgv, FILE, 'connect', endpoint, String(times)], { timeout: 20_000 })
    .status === 0;

/** The robot of a build sends messages, and is gone. @param build its digest */
export async function holdWhileDying(endpoint: string, build: string, messages: number): Promise<void> {
  const robot = fork(FILE, ['die', endpoint, String(messages), build]);
  await once(robot, 'message');
  hold(HELD);
  if (robot.exitCode === null) await once(robot, 'exit');
}

async function connectAndGo(endpoint: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const socket = connect(Number(endpoint.split(':').at(-1)), '127.0.0.1');
    await once(socket, 'data');
    socket.destroy();
  }
}

async function sendAndDie(endpoint: string, messages: number, build: string): Promise<void> {
  const { Dealer } = zeromq();
  const routingId = 'robot/1';
  const shown = { plainUsername: routingId, plainPassword: passOf(build, routingId) };
  const socket = new Dealer({ routingId, linger: 0, sendHighWaterMark: 0, ...shown });
  socket.connect(endpoint);
  await socket.send(
    encodeFrame({ kind: 'hello', protocol: PROTOCOL, build, device: 'robot', instance: routingId, next: 0 }),
  );
  await socket.receive();
  process.send?.('it has come in');
  await sleep(HELD / 10);
  for (let i = 0; i < messages; i++) await socket.send(encodeFrame({ kind: 'pong' }));
  await sleep(HELD / 10);
  process.kill(process.pid, 'SIGKILL');
}

if (process.argv[1] === FILE) {
  const [deed, endpoint = '', times, build = ''] = process.argv.slice(2);
  await (deed === 'connect' ? connectAndGo(endpoint, Number(times)) : sendAndDie(endpoint, Number(times), build));
}
