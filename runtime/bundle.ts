/** Runs a whole build on this machine. */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ShardonnxError } from './error.ts';
import { inProcess } from './in-process.ts';
import { checkInputs } from './inputs.ts';
import type { BundleManifest, DeviceManifest, TensorSpec } from './manifest.ts';
import { processes } from './processes.ts';
import type { NamedTensors } from './program.ts';
import { readBundleManifest, readDeviceManifest } from './read-manifest.ts';
import { Slots } from './slots.ts';
import type { DeviceStats } from './stats.ts';
import type { Outcome } from './team.ts';
import type { DeviceTrace } from './trace.ts';
import { DEFAULT_TIMEOUTS } from './transport.ts';

export interface BundleOptions {
  /** tcp (default): one process a device, over loopback. memory: all in this process. */
  readonly transport?: 'tcp' | 'memory';
  /** onnxruntime's, of each device; if not given device.json's, or else a fair share of this machine's. */
  readonly threads?: number;
  /** Seconds, for every wait during an inference; 30. */
  readonly timeout?: number;
  /** Seconds until all devices have met; 30. */
  readonly connectTimeout?: number;
  /** Of several plans the one to use, by its index; by bandwidth if not given. */
  readonly plan?: number;
  /** Inferences at once; twice the number of devices. */
  readonly inFlight?: number;
  /** Records what every device does and when. */
  readonly trace?: boolean;
}

export interface Bundle {
  readonly build: string;
  readonly model: string;
  readonly devices: readonly string[];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /**
   * Several may be called before the first has returned: they resolve in the order of calls, and those beyond `inFlight` wait. A
   * device that fails ends the bundle: the rest is stopped, then this rejects with its error.
   * @throws unknown-input, missing-input, input-shape, input-dtype (the bundle stays usable), device-died, and what devices throw
   */
  infer(inputs: NamedTensors): Promise<Outcome>;
  /** By device. */
  stats(): Promise<Readonly<Record<string, DeviceStats>>>;
  /** By device, in their order; empty unless the bundle was opened with `trace`. */
  trace(): Promise<readonly DeviceTrace[]>;
  close(): Promise<void>;
}

/** @throws bundle-invalid, bundle-altered, build-mismatch, segment-failed, dependency-missing, device-died */
export async function openBundle(directory: string, options: BundleOptions = {}): Promise<Bundle> {
  const bundle = await readBundleManifest(directory);
  const manifests = await Promise.all(bundle.devices.map((device) => readDeviceManifest(join(directory, device))));
  for (const [i, manifest] of manifests.entries()) checkMember(bundle, bundle.devices[i] ?? '', manifest);
  const ofDevice = (name: string | undefined) => manifests.find(({ device }) => device === name);
  const { inputDevice, outputDevice } = manifests[0] ?? {};
  const inputs = ofDevice(inputDevice)?.inputs ?? [];
  const share = Math.max(1, Math.floor(availableParallelism() / manifests.length));
  const inFlight = options.inFlight ?? 2 * manifests.length;
  const open = options.transport === 'memory' ? inProcess : processes;
  const team = await open({
    directory,
    manifests,
    threads: ({ threads }) => options.threads ?? threads ?? share,
    cores: share,
    timeouts: {
      inference: options.timeout ?? DEFAULT_TIMEOUTS.inference,
      connect: options.connectTimeout ?? DEFAULT_TIMEOUTS.connect,
    },
    plan: options.plan,
    inFlight,
    trace: options.trace ?? false,
  });
  const slots = new Slots(inFlight);
  return {
    build: bundle.build,
    model: bundle.model,
    devices: bundle.devices,
    inputs,
    outputs: ofDevice(outputDevice)?.outputs ?? [],
    async infer(given) {
      checkInputs(inputs, given);
      await slots.enter();
      return team.infer(given).finally(() => slots.leave());
    },
    stats: async () => Object.fromEntries((await team.stats()).map((stats) => [stats.device, stats])),
    trace: () => team.trace(),
    close: () => team.close(),
  };
}

function checkMember(bundle: BundleManifest, name: string, manifest: DeviceManifest): void {
  const hint = 'compile the model again';
  if (manifest.device !== name || manifest.devices.join() !== bundle.devices.join()) {
    throw new ShardonnxError('bundle-invalid', `${name}/device.json is of ${manifest.device}, not of ${name}`, {
      hint,
    });
  }
  if (manifest.build !== bundle.build) {
    const [mine, other] = [bundle.build, manifest.build].map((build) => build.slice(0, 12));
    const message = `bundle.json is of build ${mine}, ${name} of build ${other}`;
    throw new ShardonnxError('build-mismatch', message, { hint: `${hint}, or copy the folders of one build together` });
  }
}
