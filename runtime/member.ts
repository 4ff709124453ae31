/** One device's process, as its parent sees it. */
import { type ChildProcess, fork } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { ShardonnxError } from './error.ts';
import { seconds, stopped } from './failures.ts';
import { errorOf, type FromDevice, isFromDevice, type ToDevice } from './ipc.ts';
import type { DeviceManifest } from './manifest.ts';
import { moduleFolders } from './modules.ts';
import type { Failures, TeamSetup } from './team.ts';

interface Waiting {
  readonly type: FromDevice['type'];
  readonly inference: number | undefined;
  readonly timer: NodeJS.Timeout;
  readonly take: (message: FromDevice) => void;
  readonly reject: (error: unknown) => void;
}

type Message<Type extends FromDevice['type']> = Extract<FromDevice, { type: Type }>;

export class Member {
  readonly device: string;
  /** Resolves when the process has ended. */
  readonly gone: Promise<void>;
  readonly #process: ChildProcess;
  readonly #failures: Failures;
  /** In the order of asking. */
  readonly #waiting: Waiting[] = [];
  #stderr = '';
  #ended = false;

  constructor(setup: TeamSetup, manifest: DeviceManifest, failures: Failures) {
    this.device = manifest.device;
    this.#failures = failures;
    this.#process = start(setup, manifest);
    this.#process.on('message', (message) => isFromDevice(message) && this.#take(message));
    this.#process.stderr?.on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    this.gone = new Promise((resolve) => {
      this.#process.on('error', (cause) => {
        this.#end(`could not be started or reached: ${cause.message}`);
        if (this.#process.pid === undefined) resolve();
      });
      // After its end, its last message and its last output.
      this.#process.on('close', (code, signal) => {
        this.#end(signal ? `was ended by ${signal}` : `ended with exit status ${code}`);
        for (const { timer, reject } of this.#waiting.splice(0)) {
          clearTimeout(timer);
          reject(stopped(this.device));
        }
        resolve();
      });
    });
  }

  tell(message: ToDevice): void {
    // A send to a process that has ended is not reported here: its end is.
    if (this.#process.connected) this.#process.send(message, () => {});
  }

  /** The next message of this type, and of this inference, that nobody waits for yet. @throws device-silent, stopped */
  next<Type extends FromDevice['type']>(type: Type, within: number, inference?: number): Promise<Message<Type>> {
    return new Promise((resolve, reject) => {
      // Does not hold this process: as long as the device lives, its channel does.
      const timer = setTimeout(() => reject(deviceSilent(this.device, within)), within * 1000).unref();
      const take = (message: FromDevice) => {
        clearTimeout(timer);
        if (isOfType(message, type)) resolve(message);
      };
      this.#waiting.push({ type, inference, timer, take, reject });
    });
  }

  /** Its end is no failure from now on. */
  release(): void {
    this.#ended = true;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #take(message: FromDevice): void {
    if (message.type === 'error') {
      if (!this.#ended) this.#failures.add(this.device, errorOf(this.device, message.error));
      this.#ended = true;
      return;
    }
    const of = message.type === 'result' ? message.inference : undefined;
    const at = this.#waiting.findIndex(({ type, inference }) => type === message.type && inference === of);
    if (at < 0) return;
    this.#waiting.splice(at, 1)[0]?.take(message);
    // The device works on one after the other: the time of those behind begins now.
    for (const { type, timer } of this.#waiting) if (type === message.type) timer.refresh();
  }

  #end(how: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failures.add(this.device, deviceDied(this.device, how, this.#stderr.trim()));
  }
}

function start(
  { directory, timeouts, threads, cores, inFlight, trace, plan }: TeamSetup,
  manifest: DeviceManifest,
): ChildProcess {
  const flags = {
    threads: threads(manifest),
    cores,
    'in-flight': inFlight,
    // Whatever the file: this parent asks for it.
    ...(trace && { trace: 'ipc' }),
    ...(plan !== undefined && { 'use-plan': plan + 1 }),
    timeout: timeouts.inference,
    'connect-timeout': timeouts.connect,
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const folders = [...moduleFolders(), ...(process.env.NODE_PATH ? [process.env.NODE_PATH] : [])];
  return fork(join(directory, manifest.device, 'main.js'), ['--ipc', ...args], {
    execArgv: [],
    env: { ...process.env, NODE_PATH: folders.join(delimiter) },
    // Keeps typed arrays.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

const isOfType = <Type extends FromDevice['type']>(message: FromDevice, type: Type): message is Message<Type> =>
  message.type === type;

const deviceDied = (device: string, how: string, output: string) =>
  new ShardonnxError('device-died', `the process of ${device} ${how}`, { at: output ? [output] : [] });

const deviceSilent = (device: string, waited: number) =>
  new ShardonnxError('device-silent', `the process of ${device} said nothing for ${seconds(waited)}`, {
    hint: 'a longer timeout lets it go on',
  });
