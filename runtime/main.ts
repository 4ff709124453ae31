/** What a bundle's main.js calls: one device from the command line. */
import { writeFile } from 'node:fs/promises';
import { chromeTrace } from './chrome-trace.ts';
import type { OpenDevice } from './device.ts';
import { driven } from './driven.ts';
import { ShardonnxError } from './error.ts';
import { notInputDevice } from './failures.ts';
import { type Flags, help, parseFlags } from './flags.ts';
import { checkInputs, checkNames } from './inputs.ts';
import { findKeys, type Keys } from './keys.ts';
import type { Log } from './log.ts';
import type { DeviceManifest } from './manifest.ts';
import { readNpy } from './npy.ts';
import { openDevice } from './open-device.ts';
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
  readonly program: Program;
}
type Say = (line: string) => void;

/** Sets the exit status: 0 only if what was asked was done. */
export async function main(options: MainOptions, args: readonly string[] = process.argv.slice(2)): Promise<void> {
  try {
    await run(options, parseFlags(args));
  } catch (error) {
    if (!(error instanceof ShardonnxError)) throw error;
    console.error(error.format());
    process.exitCode = 1;
  }
}

async function run({ directory, program }: MainOptions, flags: Flags): Promise<void> {
  const { timeouts, inFlight } = flags;
  const common = {
    directory,
    program,
    timeouts,
    inFlight,
    trace: flags.trace !== undefined,
    ...(flags.threads !== undefined && { threads: flags.threads }),
  };
  if (flags.ipc) return driven(common, flags.listen ?? 'tcp://127.0.0.1:*');
  const manifest = await readDeviceManifest(directory);
  if (flags.help) return console.log(help(manifest));
  checkPeers(manifest, flags);
  const say: Say = (line) => (flags.json ? console.error : console.log)(`${manifest.device}: ${line}`);
  const keys = await keysOf(directory, manifest, flags);
  const inputs = await loadInputs(manifest, flags);
  const log: Log = (level, code, message) => {
    if (level === 'warn' || level === 'error') console.error(`${manifest.device}: ${code}: ${message}`);
  };
  if (flags.insecure)
    log('warn', 'insecure', 'no keys: whoever reaches this device can read what it sends, and answer in its place');
  let device: OpenDevice | undefined;
  onSignal(() => (device ? void device.close() : process.exit(0)));
  const transport = zeromqTransport({
    listen: flags.listen,
    keys,
    insecure: flags.insecure,
    peers: async (listening) => {
      if (listening) say(`listening at ${listening}`);
      return flags.peers;
    },
  });
  device = await openDevice({ ...common, transport, onFailure, log });
  say(`ready with ${manifest.devices.join(', ')}`);
  try {
    await work(device, inputs, flags, say);
  } finally {
    await device.close();
  }
}

async function work(device: OpenDevice, inputs: NamedTensors | null, flags: Flags, say: Say): Promise<void> {
  const { device: name, outputDevice } = device.manifest;
  let inferences = 0;
  const write = async (outputs: NamedTensors) => {
    inferences++;
    if (flags.output !== undefined) await writeOutputs(flags.output, outputs);
  };
  if (inputs) {
    const { repeat, inFlight } = flags;
    for await (const outputs of stream(repeat, inFlight, () => device.infer(inputs))) await write(outputs);
    await device.close();
  } else if (name === outputDevice) {
    for await (const { inference, outputs } of device.results()) {
      await write(outputs);
      say(`inference ${inference} done`);
    }
  }
  await device.stopped;
  const trace = device.trace();
  if (trace && flags.trace !== undefined) await writeFile(flags.trace, JSON.stringify(chromeTrace([trace], 0)));
  const { latencyMs, ...stats } = device.stats();
  const summary = { median: quantile(latencyMs, 0.5), p95: quantile(latencyMs, 0.95) };
  const count = Math.max(inferences, latencyMs.length);
  say(`finished after ${count} inferences${count ? `, median ${summary.median?.toFixed(2)} ms` : ''}`);
  if (flags.json) console.log(JSON.stringify({ ok: true, inferences: count, latencyMs: summary, ...stats }));
}

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
function onSignal(stop: () => void): void {
  let seen = false;
  const handle = () => {
    if (seen) process.exit(1);
    seen = true;
    stop();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
}

/** A device that serves goes on after an inference that failed. */
function onFailure(inference: number, error: unknown): void {
  process.exitCode = 1;
  if (error instanceof ShardonnxError) console.error(`inference ${inference}: ${error.format()}`);
}
