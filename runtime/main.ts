/** What a bundle's main.js calls: one device from the command line. */
import { writeFile } from 'node:fs/promises';
import type { OpenDevice } from './behaviour.ts';
import { chromeTrace } from './chrome-trace.ts';
import { collectSeldom } from './collection.ts';
import { driven } from './driven.ts';
import { ShardonnxError } from './error.ts';
import { notInputDevice } from './failures.ts';
import { type Flags, readFlags } from './flags.ts';
import { help, version } from './help.ts';
import { checkInputs, checkNames } from './inputs.ts';
import { findKeys, type Keys } from './keys.ts';
import { type Log, textLog } from './log.ts';
import type { DeviceManifest } from './manifest.ts';
import { readNpy } from './npy.ts';
import { type DeviceOptions, openDevice } from './open-device.ts';
import { Operations } from './operations.ts';
import { writeOutputs } from './outputs.ts';
import type { NamedTensors, Program, Tensor } from './program.ts';
import { randomTensor } from './random.ts';
import { readDeviceManifest } from './read-manifest.ts';
import { quantile } from './stats.ts';
import { stream } from './stream.ts';
import { zeromqTransport } from './zeromq-transport.ts';

export interface MainOptions {
  /** The device's folder. */
  readonly directory: string;
  /** One; or one a plan, in the order of device.json. */
  readonly program: Program | readonly Program[];
}
/** Sets the exit status: 0 only if what was asked was done. */
export async function main(options: MainOptions, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  const work: Work = {
    log: (_, code, message, fields) => console.error(new ShardonnxError(code, message, fields).format()),
  };
  collectSeldom();
  try {
    await run(options, await readFlags(args, process.env), work);
  } catch (error) {
    if (!(error instanceof ShardonnxError)) throw error;
    tell(work.log, error);
    process.exitCode = 1;
  }
}

/** What is known once flags are read. */
interface Work {
  log: Log;
}

async function run({ directory, program }: MainOptions, flags: Flags, work: Work): Promise<void> {
  const { timeouts, inFlight } = flags;
  const common = {
    directory,
    program,
    timeouts,
    inFlight,
    stay: flags.stay,
    ...(flags.plan !== undefined && { plan: flags.plan - 1 }),
    trace: flags.trace !== undefined,
    ...(flags.threads !== undefined && { threads: flags.threads }),
    ...(flags.cores !== undefined && { cores: flags.cores }),
  };
  if (flags.ipc) return driven(common, flags.listen ?? 'tcp://127.0.0.1:*');
  const manifest = await readDeviceManifest(directory);
  if (flags.help) return console.log(help(manifest));
  if (flags.version) return console.log(await version(directory, manifest));
  checkPeers(manifest, flags);
  const { level, format } = flags.log;
  const plain =
    format === 'json' ? (await import('./json-log.ts')).jsonLog(manifest, level) : textLog(manifest, level, flags);
  const operations = await Operations.open(manifest, flags.http);
  const log: Log = (of, code, message, fields) => {
    if (of === 'error') operations.error(code);
    plain(of, code, message, fields);
  };
  work.log = log;
  try {
    if (operations.url) log('info', 'http', `health and metrics at ${operations.url}`);
    await serve({ ...common, log }, manifest, flags, operations);
  } finally {
    operations.close();
  }
}

async function serve(
  common: Omit<DeviceOptions, 'transport'> & { readonly log: Log },
  manifest: DeviceManifest,
  flags: Flags,
  operations: Operations,
): Promise<void> {
  const { log } = common;
  const keys = await keysOf(common.directory, manifest, flags);
  const inputs = await loadInputs(manifest, flags);
  if (flags.insecure)
    log('warn', 'insecure', 'no keys: whoever reaches this device can read what it sends, and answer in its place');
  const stop = new AbortController();
  let device: OpenDevice | undefined;
  onSignal((signal) => {
    log('info', 'stopping', `${signal}: what is at work is finished`);
    stop.abort();
    operations.draining();
    if (device) void device.close();
    else process.exit(0);
  });
  const transport = zeromqTransport({
    listen: flags.listen,
    keys,
    insecure: flags.insecure,
    peers: async (listening) => {
      if (listening) log('info', 'listening', `listening at ${listening}`);
      return flags.peers;
    },
  });
  device = await openDevice({
    ...common,
    transport,
    onFailure: (inference, error) => {
      // A device that serves goes on after an inference that failed.
      process.exitCode = 1;
      if (error instanceof ShardonnxError) tell(log, error, inference);
    },
    onInference: (ms) => {
      operations.inference(ms);
      log('debug', 'inference', `inference in ${ms.toFixed(2)} ms`, { ms });
    },
  });
  operations.opened(device);
  log('info', 'ready', `ready with ${manifest.devices.join(', ')}`);
  try {
    await work(device, inputs, flags, log, stop.signal);
  } finally {
    await device.close();
  }
}

async function work(
  device: OpenDevice,
  inputs: NamedTensors | null,
  flags: Flags,
  log: Log,
  stop: AbortSignal,
): Promise<void> {
  const { device: name, outputDevice } = device.manifest;
  let inferences = 0;
  const write = async (outputs: NamedTensors) => {
    inferences++;
    if (flags.output !== undefined) await writeOutputs(flags.output, outputs);
  };
  if (inputs) {
    await feed({ device, inputs, flags, log, write, stop });
    await device.close();
  } else if (name === outputDevice) {
    for await (const { inference, outputs } of device.results()) {
      await write(outputs);
      log('info', 'inference-done', `inference ${inference} done`, { inference });
    }
  }
  await device.stopped;
  const trace = device.trace();
  if (trace && flags.trace !== undefined) await writeFile(flags.trace, JSON.stringify(chromeTrace([trace], 0)));
  const { latencyMs, ...stats } = device.stats();
  const summary = { median: quantile(latencyMs, 0.5), p95: quantile(latencyMs, 0.95) };
  const count = Math.max(inferences, latencyMs.length);
  const median = count ? `, median ${summary.median?.toFixed(2)} ms` : '';
  log('info', 'finished', `finished after ${count} inferences${median}`);
  // Who stops a device asks nothing more of it.
  if (stop.aborted) process.exitCode = 0;
  if (flags.json)
    console.log(JSON.stringify({ ok: !process.exitCode, inferences: count, latencyMs: summary, ...stats }));
}

interface Feed {
  readonly device: OpenDevice;
  readonly inputs: NamedTensors;
  readonly flags: Flags;
  readonly log: Log;
  readonly write: (outputs: NamedTensors) => Promise<void>;
  readonly stop: AbortSignal;
}

/**
 * Until all are done or a signal came: then those that have begun are finished, and no more begins. One that fails is told, and
 * the next one begins once the peers are ready again.
 */
async function feed({ device, inputs, flags, log, write, stop }: Feed): Promise<void> {
  const { repeat, inFlight, timeouts } = flags;
  let left = repeat;
  const one = async (): Promise<NamedTensors | null> => {
    left--;
    try {
      return await device.infer(inputs);
    } catch (error) {
      if (stop.aborted) return null;
      if (!(error instanceof ShardonnxError)) throw error;
      process.exitCode = 1;
      tell(log, error);
      if (left > 0) await device.ready(timeouts.connect).catch((why) => stop.aborted || Promise.reject(why));
      return null;
    }
  };
  for await (const outputs of stream(repeat, inFlight, one)) {
    if (outputs) await write(outputs);
    else if (stop.aborted) return;
  }
}

const tell = (log: Log, { code, message, context: { at, hint } }: ShardonnxError, inference?: number): void =>
  log('error', code, message, { at, hint, ...(inference !== undefined && { inference }) });

/** @throws bad-flag */
function checkPeers({ device, devices }: DeviceManifest, { peers }: Flags): void {
  const wrong = Object.keys(peers).find((name) => name === device || !devices.includes(name));
  if (wrong === undefined) return;
  const others = devices.filter((name) => name !== device).join(', ');
  throw new ShardonnxError('bad-flag', `--peer ${wrong}: the other devices of this build are ${others || 'none'}`);
}

/** undefined where it goes without. @throws bad-flag, keys-invalid, key-exposed */
async function keysOf(directory: string, { device }: DeviceManifest, flags: Flags): Promise<Keys | undefined> {
  if (!flags.insecure) return findKeys(directory, device, flags.keys);
  if (flags.keys === undefined) return undefined;
  throw new ShardonnxError('bad-flag', '--insecure goes without keys, --keys gives some', { hint: 'leave out one' });
}

/** null on a device that holds none. @throws not-input-device, missing-input, unknown-input, input-shape, input-dtype, npy-invalid */
async function loadInputs(manifest: DeviceManifest, { inputs }: Flags): Promise<NamedTensors | null> {
  const { device, inputDevice, inputs: specs } = manifest;
  const names = Object.keys(inputs);
  if (device !== inputDevice && names.length === 0) return null;
  if (device !== inputDevice) throw notInputDevice(device, inputDevice);
  checkNames(specs, names);
  const tensors: Record<string, Tensor> = {};
  for (const [i, spec] of specs.entries()) {
    const source = inputs[spec.name] ?? '';
    tensors[spec.name] = source === 'random' ? randomTensor(spec, i + 1) : await readNpy(source);
  }
  checkInputs(specs, tensors);
  return tensors;
}

/** The first signal stops in good order, the second at once. */
function onSignal(stop: (signal: NodeJS.Signals) => void): void {
  let seen = false;
  const handle = (signal: NodeJS.Signals) => {
    if (seen) process.exit(1);
    seen = true;
    stop(signal);
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
}
