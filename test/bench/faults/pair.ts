/** Two devices of a build as processes, the link between them, and what can happen to all three. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Running } from '../../runtime/process.ts';
import { TestLink } from '../../support/link.ts';
import { startFeeder, tell } from '../feeder.ts';
import type { Tally } from './tally.ts';

export const KINDS = ['kill', 'stop', 'cut', 'restart'] as const;
export type Kind = (typeof KINDS)[number];

/** Seconds for every wait of a device during an inference. */
export const TIMEOUT = 2;
export const IN_FLIGHT = 4;
/** Seconds in which a process has to start, and to end in good order. */
const PATIENCE = 30;
/** ms between an answer and the next call in its place: this is no test of speed. */
const PAUSE = 3;
const HOLDER = 'a';
const SERVER = 'b';

/** @throws Error after so many seconds */
export async function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(1e3 * seconds, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what}: not within ${seconds} s`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
    late.catch(() => {});
  }
}

/** Device a holds the inputs and calls device b, which serves from the command line. */
export class Pair {
  /** Ended in good order, but with a status that is not 0. */
  readonly disorderly: string[] = [];

  private constructor(
    private readonly build: string,
    private readonly tally: Tally,
    private readonly endpoint: string,
    private readonly link: TestLink,
    private server: Running,
    private holder: ChildProcess,
  ) {}

  static async open(build: string, tally: Tally): Promise<Pair> {
    const server = serve(build, 'tcp://127.0.0.1:*');
    const [, endpoint = ''] = await within(PATIENCE, 'a device listens', server.prints(/listening at (\S+)/));
    const link = await TestLink.to(endpoint);
    return new Pair(build, tally, endpoint, link, server, hold(build, tally, link));
  }

  /** @param draw uniform in [0, 1): which device, and for how long */
  async suffer(kind: Kind, draw: () => number): Promise<void> {
    const device = draw() < 0.5 ? HOLDER : SERVER;
    const seconds = kind === 'kill' || kind === 'restart' ? draw() : 0.2 + 2.8 * draw();
    switch (kind) {
      case 'kill':
        await this.#end(device, 'SIGKILL');
        await sleep(1e3 * seconds);
        this.#start(device);
        break;
      case 'restart':
        await this.#end(device, 'SIGTERM');
        await sleep(1e3 * seconds);
        this.#start(device);
        break;
      case 'stop':
        this.#signal(device, 'SIGSTOP');
        await sleep(1e3 * seconds);
        this.#signal(device, 'SIGCONT');
        break;
      case 'cut':
        this.link.freeze();
        // Or else nothing tells the two that nothing passes.
        if (draw() < 0.5) this.link.cut();
        await sleep(1e3 * seconds);
        this.link.thaw();
        break;
      default:
        kind satisfies never;
    }
  }

  async close(): Promise<void> {
    await this.#end(HOLDER, 'SIGTERM');
    await this.#end(SERVER, 'SIGTERM');
    this.link.close();
  }

  /** Whatever state it is in. */
  kill(): void {
    for (const device of [HOLDER, SERVER]) this.#signal(device, 'SIGKILL');
    this.link.close();
  }

  #signal(device: string, signal: NodeJS.Signals): void {
    if (device === SERVER) this.server.signal(signal);
    else this.holder.kill(signal);
  }

  #start(device: string): void {
    if (device === SERVER) this.server = serve(this.build, this.endpoint);
    else this.holder = hold(this.build, this.tally, this.link);
  }

  async #end(device: string, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const ended =
      device === SERVER ? this.server.ended.then(({ status }) => status) : once(this.holder, 'close').then(([s]) => s);
    this.#signal(device, signal);
    const status = await within(PATIENCE, `${device} ends after ${signal}`, ended);
    if (device === HOLDER) this.tally.end();
    if (signal === 'SIGTERM' && status !== 0) this.disorderly.push(`${device} ended with ${status}`);
  }
}

const serve = (build: string, endpoint: string): Running =>
  new Running(build, SERVER, [
    `--listen=${endpoint}`,
    '--stay',
    '--threads=1',
    `--connect-timeout=${PATIENCE}`,
    `--timeout=${TIMEOUT}`,
    `--in-flight=${IN_FLIGHT}`,
  ]);

function hold(build: string, tally: Tally, { endpoint }: TestLink): ChildProcess {
  const feeding = { build, device: HOLDER, peers: { [SERVER]: endpoint }, timeout: TIMEOUT, inFlight: IN_FLIGHT };
  const holder = startFeeder(feeding, (message) => {
    if (message.type === 'ready') tell(holder, { type: 'feed', pause: PAUSE });
    else tally.hear(message);
  });
  return holder;
}
