/** The holder of a build's inputs as a process of its own, which can be killed and stopped like one: feeds, and tells what comes. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { collectSeldom } from '../../runtime/collection.ts';
import {
  type DeviceTrace,
  type NamedTensors,
  type OpenDevice,
  openDevice,
  randomTensor,
  ShardonnxError,
  zeromqTransport,
} from '../../runtime/index.ts';
import { now, plainTensors } from '../../runtime/ipc.ts';
import { programsOf } from '../support/programs.ts';
import { slowed } from './slowed.ts';

/** Inputs that are fed in turn, made of the seeds 0, 1, … */
export const SEEDS = 16;
/** Seconds that it waits for peers. */
const CONNECT = 20;

export interface Feeding {
  readonly build: string;
  readonly device: string;
  readonly peers: Readonly<Record<string, string>>;
  /** Seconds for every wait during an inference. */
  readonly timeout: number;
  readonly inFlight: number;
  /** Where it listens, if others call it. */
  readonly listen?: string;
  /** Seconds that it waits for peers. */
  readonly connect?: number;
  readonly trace?: boolean;
  /** Of this machine's, 1: after each segment it waits as long as a slower machine would still compute. */
  readonly speed?: number;
}

export type ToFeeder =
  /** Infers from now on, with so many ms between an answer and the next call in its place. */
  | { readonly type: 'feed'; readonly pause: number }
  /** Infers for so many seconds, one at a time. */
  | { readonly type: 'measure'; readonly seconds: number }
  /** The same with as many at a time as may be in flight; measured is the mean ms from one answer to the next. */
  | { readonly type: 'stream'; readonly seconds: number }
  /** As `measure` with this plan or (null) the one that fits, on seed 0. */
  | { readonly type: 'play'; readonly plan: number | null; readonly seconds: number }
  | { readonly type: 'trace' };

export type FromFeeder =
  | { readonly type: 'ready' }
  | ({ readonly type: 'begun'; readonly call: number } & Together)
  | ({ readonly type: 'answer'; readonly call: number; readonly outputs: NamedTensors } & Together)
  | { readonly type: 'failed'; readonly call: number; readonly code: string; readonly clear: boolean }
  | { readonly type: 'measured'; readonly ms: readonly number[] }
  | ({ readonly type: 'played' } & Play)
  | { readonly type: 'trace'; readonly trace: DeviceTrace };

export interface Inference {
  /** ms since the epoch. */
  readonly began: number;
  readonly ms: number;
  /** The name of the plan that gave the answer. */
  readonly plan: string;
  /** It had begun with another one. */
  readonly repeated: boolean;
}

export interface Play {
  readonly inferences: readonly Inference[];
  /** Of the last one. */
  readonly outputs: NamedTensors;
}

interface Together {
  /** Inferences finished so far by plans that need a peer. */
  readonly together: number;
}

const self = fileURLToPath(import.meta.url);

/** What Node is called with; the process needs a message channel with serialization `advanced`. */
export const feederArguments = (feeding: Feeding): string[] => [...process.execArgv, self, JSON.stringify(feeding)];

/** Ends in good order at SIGTERM, and at once when this process is gone. */
export function startFeeder(feeding: Feeding, hear: (message: FromFeeder) => void): ChildProcess {
  const child = fork(self, [JSON.stringify(feeding)], { serialization: 'advanced' });
  child.on('message', hear);
  return child;
}

export const tell = (feeder: ChildProcess, message: ToFeeder): void => void feeder.send(message);

const say = (message: FromFeeder): void => void process.send?.(message);

async function run(feeding: Feeding): Promise<void> {
  const { build, device: name, peers, listen, timeout, inFlight, trace = false, speed = 1 } = feeding;
  // As a bundle's main.js.
  collectSeldom();
  process.on('disconnect', () => process.exit(1));
  const stop = new AbortController();
  process.on('SIGTERM', () => stop.abort());
  const device = await openDevice({
    directory: join(build, name),
    program: (await programsOf(build, name)).map((program) => slowed(program, speed)),
    // No keys: the hosts of a testbed are this machine's own.
    transport: zeromqTransport({ listen, peers: async () => peers, insecure: true }),
    timeouts: { connect: feeding.connect ?? CONNECT, inference: timeout },
    threads: 1,
    inFlight,
    trace,
  });
  const inputs = Array.from({ length: SEEDS }, (_, seed) =>
    Object.fromEntries(device.manifest.inputs.map((spec) => [spec.name, randomTensor(spec, seed)])),
  );
  const feeds: Promise<void>[] = [];
  process.on('message', (message: ToFeeder) => {
    switch (message.type) {
      case 'measure':
        void infer(device, inputs, message.seconds).then(({ inferences }) =>
          say({ type: 'measured', ms: inferences.map(({ ms }) => ms) }),
        );
        break;
      case 'stream':
        void streamed(device, inputs, message.seconds, inFlight).then((ms) => say({ type: 'measured', ms: [ms] }));
        break;
      case 'play':
        device.use(message.plan);
        void infer(device, inputs.slice(0, 1), message.seconds).then((play) => say({ type: 'played', ...play }));
        break;
      case 'trace':
        say({ type: 'trace', trace: traceOf(device) });
        break;
      case 'feed':
        for (let i = 0; i < inFlight; i++) feeds.push(feed(device, inputs, message.pause, stop.signal));
        break;
      default:
        message satisfies never;
    }
  });
  say({ type: 'ready' });
  if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve));
  await device.close();
  // Each tells what became of its last call.
  await Promise.all(feeds);
  process.removeAllListeners('disconnect');
  process.disconnect?.();
}

function traceOf(device: OpenDevice): DeviceTrace {
  const trace = device.trace();
  if (!trace) throw new Error('nothing was recorded');
  return trace;
}

let calls = 0;

async function feed(device: OpenDevice, inputs: readonly NamedTensors[], pause: number, stop: AbortSignal) {
  const { plans = [], devices } = device.manifest;
  const shared = plans.length > 0 ? plans.filter((plan) => plan.devices.length > 1) : [{ name: 'only', devices }];
  const together = () => shared.reduce((sum, { name }) => sum + (device.stats().plans[name] ?? 0), 0);
  while (!stop.aborted) {
    const call = calls++;
    say({ type: 'begun', call, together: together() });
    try {
      const outputs = await device.infer(inputs[call % SEEDS]!);
      say({ type: 'answer', call, outputs: plainTensors(outputs), together: together() });
    } catch (error) {
      const clear = error instanceof ShardonnxError;
      // Refused since this process ends, and the call with it.
      if (clear && error.code === 'stopped' && stop.aborted) return;
      say({ type: 'failed', call, code: clear ? error.code : String(error), clear });
      if (!stop.aborted) await device.ready(CONNECT).catch(() => {});
    }
    await sleep(pause);
  }
}

async function infer(device: OpenDevice, inputs: readonly NamedTensors[], seconds: number): Promise<Play> {
  const inferences: Inference[] = [];
  let outputs: NamedTensors = {};
  for (const end = now() + 1e3 * seconds; now() < end; ) {
    const { repeated: before } = device.stats();
    const began = now();
    outputs = await device.infer(inputs[inferences.length % inputs.length]!);
    const ms = now() - began;
    const { plan, repeated } = device.stats();
    inferences.push({ began, ms, plan, repeated: repeated > before });
  }
  return { inferences, outputs: plainTensors(outputs) };
}

async function streamed(device: OpenDevice, inputs: readonly NamedTensors[], seconds: number, inFlight: number) {
  const answers: number[] = [];
  const end = now() + 1e3 * seconds;
  const one = async () => {
    for (let call = 0; now() < end || answers.length < 2; call++) {
      await device.infer(inputs[call % inputs.length]!);
      answers.push(now());
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  return (answers.at(-1)! - answers[0]!) / (answers.length - 1);
}

if (process.argv[1] === self && process.send) await run(JSON.parse(process.argv[2]!));
