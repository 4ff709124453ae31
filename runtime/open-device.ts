/** Opens a device's folder: what is in it is checked and loaded before the device joins its peers. */
import { availableParallelism } from 'node:os';
import type { Behaviour, OpenDevice } from './behaviour.ts';
import { Deadlines } from './deadlines.ts';
import { RunningDevice } from './device.ts';
import { silent } from './log.ts';
import { Mailbox } from './mailbox.ts';
import { leavesCore } from './nap.ts';
import { readDeviceManifest } from './read-manifest.ts';
import { loadSegments } from './segment.ts';
import { Recorder } from './stats.ts';
import { Trace } from './trace.ts';
import { DEFAULT_TIMEOUTS, type Timeouts, type TransportFactory } from './transport.ts';
import { Turns } from './turns.ts';
import { verifyFiles } from './verify-files.ts';

export interface DeviceOptions extends Behaviour {
  /** The device's folder in the build. */
  readonly directory: string;
  readonly transport: TransportFactory;
  readonly timeouts?: Partial<Timeouts>;
  /** onnxruntime's; device.json's if not given. */
  readonly threads?: number | null;
  /** Cores that no other program takes; this machine's if not given. */
  readonly cores?: number;
  /** Told how long each finished inference took here. */
  readonly onInference?: (ms: number) => void;
}

/**
 * Checks the folder, loads the segments, and joins the peers.
 * @throws bundle-invalid, bundle-altered, segment-failed, dependency-missing, and what {@link Transport.open} throws
 */
export async function openDevice(options: DeviceOptions): Promise<OpenDevice> {
  const { directory, cores = availableParallelism() } = options;
  const manifest = await readDeviceManifest(directory);
  await verifyFiles(directory, manifest);
  const { threads = manifest.threads } = options;
  const segments = await loadSegments(directory, manifest, threads);
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const recorder = new Recorder(
    manifest.segments.map(({ file }) => file),
    options.log ?? silent,
    options.onInference,
  );
  const channels = new Map(manifest.channels.map((channel) => [channel.id, channel]));
  const deadlines = new Deadlines(timeouts.inference);
  const mailbox = new Mailbox(manifest.device, channels, deadlines, recorder);
  const device = new RunningDevice(options, deadlines, {
    manifest,
    segments,
    channels,
    recorder,
    mailbox,
    trace: options.trace ? new Trace(manifest) : null,
    turns: new Turns(() => mailbox.size <= 1),
    transport: options.transport({
      manifest,
      timeouts,
      dropped: recorder.dropped,
      spareCore: leavesCore(threads, cores),
    }),
  });
  await device.open();
  return device;
}
