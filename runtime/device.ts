/** A device at work: runs its program once an inference, together with its peers. */
import { Deadlines } from './deadlines.ts';
import { ShardonnxError } from './error.ts';
import { notInputDevice, peerFailed, peerLost, stopped } from './failures.ts';
import type { AbortFrame } from './frame.ts';
import { InFlight } from './in-flight.ts';
import { inference, type Parts } from './inference.ts';
import { checkInputs } from './inputs.ts';
import { Mailbox } from './mailbox.ts';
import type { DeviceManifest } from './manifest.ts';
import type { Program, Tensor } from './program.ts';
import { readDeviceManifest } from './read-manifest.ts';
import { type Result, Results } from './results.ts';
import { loadSegments } from './segment.ts';
import { type DeviceStats, Recorder } from './stats.ts';
import {
  DEFAULT_TIMEOUTS,
  type PeerFrame,
  peersOf,
  type Timeouts,
  type TransportFactory,
  type TransportListener,
} from './transport.ts';
import { verifyFiles } from './verify-files.ts';

export interface DeviceOptions {
  /** The device's folder in the build. */
  readonly directory: string;
  readonly program: Program;
  readonly transport: TransportFactory;
  readonly timeouts?: Partial<Timeouts>;
  /** onnxruntime's; device.json's if not given. */
  readonly threads?: number | null;
  /** Inferences at once, 1 if not given. */
  readonly inFlight?: number;
  /** Told of each inference that failed on this device without being asked for here. */
  readonly onFailure?: (inference: number, error: unknown) => void;
}

type Named = Readonly<Record<string, Tensor>>;

export interface OpenDevice {
  readonly manifest: DeviceManifest;
  /**
   * Only on the device that holds the inputs. Resolves with what this device holds of the outputs.
   * @throws unknown-input, missing-input, input-shape, input-dtype, segment-failed, peer-failed, peer-lost, receive-timeout, bad-frame
   */
  infer(inputs: Named): Promise<Named>;
  /** On a device that holds outputs but no inputs: what comes, in order, until the device stops. */
  results(): AsyncIterable<Result, undefined>;
  /** Resolves when the device was stopped, here or by the holder of the inputs; rejects when it cannot go on. */
  readonly stopped: Promise<void>;
  /** Lets running inferences end, tells the peers. */
  close(): Promise<void>;
  stats(): DeviceStats;
}

/**
 * Checks the folder, loads the segments, and joins the peers.
 * @throws bundle-invalid, bundle-altered, segment-failed, dependency-missing, and what {@link Transport.open} throws
 */
export async function openDevice(options: DeviceOptions): Promise<OpenDevice> {
  const { directory, threads } = options;
  const manifest = await readDeviceManifest(directory);
  await verifyFiles(directory, manifest);
  const segments = await loadSegments(directory, manifest, threads === undefined ? manifest.threads : threads);
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const recorder = new Recorder(manifest.segments.map(({ file }) => file));
  const channels = new Map(manifest.channels.map((channel) => [channel.id, channel]));
  const deadlines = new Deadlines(timeouts.inference);
  const device = new RunningDevice(options, deadlines, {
    manifest,
    segments,
    channels,
    recorder,
    mailbox: new Mailbox(manifest.device, channels, deadlines, recorder),
    transport: options.transport({ manifest, timeouts, counters: recorder.counters }),
  });
  await device.open();
  return device;
}

class RunningDevice implements OpenDevice, TransportListener {
  readonly manifest: DeviceManifest;
  readonly stopped: Promise<void>;
  readonly #peers: readonly string[];
  readonly #inFlight: InFlight;
  readonly #results = new Results();
  readonly #active = new Set<Promise<unknown>>();
  readonly #aborted = new Set<number>();
  readonly #left = new Set<string>();
  #error: unknown;
  #closing: Promise<void> | undefined;
  #opened: Promise<void> = Promise.resolve();
  #resolveStopped: () => void = () => {};
  #rejectStopped: (error: unknown) => void = () => {};

  constructor(
    private readonly options: DeviceOptions,
    private readonly deadlines: Deadlines,
    private readonly parts: Parts,
  ) {
    this.manifest = parts.manifest;
    this.#peers = peersOf(parts.manifest);
    this.#inFlight = new InFlight(options.inFlight ?? 1, deadlines);
    this.stopped = new Promise((resolve, reject) => {
      this.#resolveStopped = resolve;
      this.#rejectStopped = reject;
    });
    this.stopped.catch(() => {});
  }

  async open(): Promise<void> {
    this.#opened = this.parts.transport.open(this);
    try {
      await this.#opened;
    } catch (error) {
      this.#fail(error);
      await this.close();
      throw this.#error ?? error;
    }
  }

  async infer(inputs: Named): Promise<Named> {
    const { device, inputDevice, inputs: specs } = this.manifest;
    if (device !== inputDevice) throw notInputDevice(device, inputDevice);
    checkInputs(specs, inputs);
    this.#checkAble();
    while (!this.#inFlight.room) {
      await this.#inFlight.change();
      this.#checkAble();
    }
    const id = this.parts.mailbox.begin();
    this.#inFlight.start(id, this.manifest.devices);
    for (const peer of this.#peers) this.parts.transport.send(peer, { kind: 'start', inference: id });
    return this.#run(id, inputs);
  }

  results(): AsyncIterable<Result, undefined> {
    return this.#results;
  }

  stats(): DeviceStats {
    return this.parts.recorder.stats(
      this.manifest.device,
      this.parts.transport.inProcess ? null : process.resourceUsage().maxRSS * 1024,
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  frame(from: string, frame: PeerFrame): void {
    switch (frame.kind) {
      case 'tensor':
        this.parts.mailbox.deliver(from, frame);
        break;
      case 'start':
        if (from === this.manifest.inputDevice && frame.inference === this.parts.mailbox.next) this.#serve();
        else this.malformed(from, `start of inference ${frame.inference}`, null);
        break;
      case 'done':
        this.#inFlight.finished(frame.inference, from);
        break;
      case 'abort':
        this.#onAbort(from, frame);
        break;
      default:
        frame satisfies never;
    }
  }

  bye(peer: string): void {
    this.#left.add(peer);
    const { device, inputDevice } = this.manifest;
    this.parts.mailbox.gone(peer, peerLost(device, peer, 'it has stopped'));
    if (peer === inputDevice) this.close().catch(() => {});
  }

  malformed(from: string, reason: string, inference: number | null): void {
    this.parts.mailbox.spoil(from, reason, inference);
  }

  lost(peer: string, error: ShardonnxError): void {
    if (this.#left.has(peer)) return;
    this.#left.add(peer);
    this.#fail(error);
  }

  #checkAble(): void {
    const { device } = this.manifest;
    if (this.#error) throw this.#error;
    if (this.#closing) throw stopped(device);
    const [left] = this.#left;
    if (left !== undefined) throw peerLost(device, left, 'it has stopped');
  }

  async #run(id: number, inputs: Named): Promise<Named> {
    const { mailbox, recorder } = this.parts;
    const begin = performance.now();
    const work = (async () => this.options.program(inference(id, this.parts), inputs))();
    this.#active.add(work);
    try {
      const outputs = await work;
      recorder.inference(performance.now() - begin);
      this.#inFlight.finished(id, this.manifest.device);
      return outputs;
    } catch (error) {
      this.#inFlight.failed(id);
      if (!this.#aborted.has(id)) this.#abort({ ...this.#says(error), inference: id });
      throw error;
    } finally {
      mailbox.end(id);
      this.#active.delete(work);
    }
  }

  /** Runs an inference that the holder of the inputs has started. */
  #serve(): void {
    const { inputDevice, outputDevice, device } = this.manifest;
    const id = this.parts.mailbox.begin();
    const serving = this.#opened
      .then(() => this.#run(id, {}))
      .then(async (outputs) => {
        if (device === outputDevice) await this.#results.push({ inference: id, outputs });
        this.parts.transport.send(inputDevice, { kind: 'done', inference: id });
      })
      .catch((error) => {
        if (!(error instanceof ShardonnxError)) this.#fail(error);
        this.options.onFailure?.(id, error);
      });
    this.#active.add(serving);
    serving.finally(() => this.#active.delete(serving));
  }

  #onAbort(from: string, frame: AbortFrame): void {
    const error = peerFailed(frame.device, frame.code, frame.message);
    if (frame.inference === null) {
      this.#left.add(from);
      this.#fail(error, frame);
      return;
    }
    if (this.#aborted.has(frame.inference)) return;
    this.parts.mailbox.fail(frame.inference, error);
    this.#inFlight.failed(frame.inference);
    // Not all devices know each other; the holder of the inputs knows all.
    if (this.manifest.device === this.manifest.inputDevice) this.#abort(frame, from);
    else this.#remember(frame.inference);
  }

  #abort(frame: AbortFrame, except?: string): void {
    if (frame.inference !== null) this.#remember(frame.inference);
    for (const peer of this.#peers) {
      if (peer !== except && peer !== frame.device && !this.#left.has(peer)) this.parts.transport.send(peer, frame);
    }
  }

  #remember(inference: number): void {
    this.#aborted.add(inference);
    for (const old of this.#aborted) if (old < inference - 1024) this.#aborted.delete(old);
  }

  /** The device cannot go on: everything that waits rejects, and the peers are told. */
  #fail(error: unknown, frame?: AbortFrame): void {
    if (this.#error) return;
    const says = this.#says(error);
    const reason = error instanceof ShardonnxError ? error : new ShardonnxError(says.code, says.message);
    for (const peer of this.#peers) this.parts.mailbox.gone(peer, reason);
    this.#inFlight.clear();
    if (this.#closing) return;
    this.#error = error;
    this.#abort(frame ?? { ...says, inference: null });
    this.close().catch(() => {});
  }

  #says(error: unknown): Omit<AbortFrame, 'inference'> {
    const { device } = this.manifest;
    if (error instanceof ShardonnxError) return { kind: 'abort', device, code: error.code, message: error.message };
    return { kind: 'abort', device, code: 'internal', message: error instanceof Error ? error.message : String(error) };
  }

  async #shutDown(): Promise<void> {
    const { transport, segments } = this.parts;
    try {
      while (!this.#inFlight.idle) await this.#inFlight.change();
    } catch {
      // Its devices had their time; the peers are told all the same.
    }
    this.#results.end();
    await this.#quiet();
    const here = this.#peers.filter((peer) => !this.#left.has(peer));
    if (!this.#error) for (const peer of here) transport.send(peer, { kind: 'bye' });
    await transport.close();
    this.deadlines.clear();
    await Promise.allSettled(segments.map((segment) => segment.release()));
    if (this.#error) this.#rejectStopped(this.#error);
    else this.#resolveStopped();
  }

  /** Resolves when no program runs any more, or has had its time. */
  async #quiet(): Promise<void> {
    if (this.#active.size === 0) return;
    await new Promise<void>((resolve) => {
      const wait = this.deadlines.add(resolve);
      void Promise.allSettled(this.#active).then(() => {
        this.deadlines.delete(wait);
        resolve();
      });
    });
  }
}
