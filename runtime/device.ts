/** A device at work: runs its program once an inference, together with its peers. */
import { Activity } from './activity.ts';
import type { Deadlines } from './deadlines.ts';
import { deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { notInputDevice, peerFailed, peerLost, stopped } from './failures.ts';
import type { AbortFrame, ClockFrame } from './frame.ts';
import { InFlight } from './in-flight.ts';
import { inference, type Parts } from './inference.ts';
import { checkInputs } from './inputs.ts';
import { now } from './ipc.ts';
import type { DeviceManifest } from './manifest.ts';
import { Peers } from './peers.ts';
import type { NamedTensors, Program } from './program.ts';
import { type Result, Results } from './results.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';
import type { PeerFrame, TransportListener } from './transport.ts';

/** What a device does, and how. */
export interface Behaviour {
  readonly program: Program;
  /** Inferences at once, twice the number of devices if not given: one that each computes, one that travels to each. */
  readonly inFlight?: number;
  /** Whether to record what is done and when. */
  readonly trace?: boolean;
  /** Told of each inference that failed on this device without being asked for here. */
  readonly onFailure?: (inference: number, error: unknown) => void;
}

export interface OpenDevice {
  readonly manifest: DeviceManifest;
  /**
   * Only on the device that holds the inputs. Resolves with what this device holds of the outputs, in the order of calls; when
   * as many inferences as may be are in flight, further ones wait.
   * @throws unknown-input, missing-input, input-shape, input-dtype, segment-failed, peer-failed, peer-lost, receive-timeout, inference-timeout, bad-frame
   */
  infer(inputs: NamedTensors): Promise<NamedTensors>;
  /** On a device that holds outputs but no inputs: what comes, in order, until the device stops. */
  results(): AsyncIterable<Result, undefined>;
  /** Resolves when the device was stopped, here or by the holder of the inputs; rejects when it cannot go on. */
  readonly stopped: Promise<void>;
  /** Lets running inferences end, tells the peers. */
  close(): Promise<void>;
  stats(): DeviceStats;
  /** What it did and when; null unless it was asked to record that. */
  trace(): DeviceTrace | null;
  /** Which of those it talks to are still there. */
  peers(): Readonly<Record<string, boolean>>;
}

export class RunningDevice implements OpenDevice, TransportListener {
  readonly manifest: DeviceManifest;
  readonly #peers: Peers;
  readonly #inFlight: InFlight;
  readonly #activity: Activity;
  readonly #results = new Results();
  readonly #stopped = deferred();
  #opened: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  /** Resolves when all inferences that this device has begun have ended. */
  #earlier: Promise<void> = Promise.resolve();
  /** Why it cannot go on. */
  #error: unknown;

  constructor(
    private readonly behaviour: Behaviour,
    private readonly deadlines: Deadlines,
    private readonly parts: Parts,
  ) {
    this.manifest = parts.manifest;
    this.#peers = new Peers(parts.manifest, parts.transport);
    this.#inFlight = new InFlight(behaviour.inFlight ?? 2 * parts.manifest.devices.length, deadlines);
    this.#activity = new Activity(deadlines);
  }

  /** Joins the peers. */
  async open(): Promise<void> {
    this.#opened = this.parts.transport.open(this);
    try {
      await this.#opened;
    } catch (error) {
      this.#fail(error);
      await this.close();
      throw this.#error ?? error;
    }
    this.#askTime();
  }

  async infer(inputs: NamedTensors): Promise<NamedTensors> {
    const { device, inputDevice, inputs: specs } = this.manifest;
    if (device !== inputDevice) throw notInputDevice(device, inputDevice);
    checkInputs(specs, inputs);
    this.#checkAble();
    await this.#inFlight.enter();
    return this.#run(this.#begin(), inputs);
  }

  results(): AsyncIterable<Result, undefined> {
    return this.#results;
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  stats(): DeviceStats {
    const { recorder, mailbox, transport } = this.parts;
    return recorder.stats(this.manifest.device, mailbox.size, !transport.inProcess);
  }

  trace(): DeviceTrace | null {
    return this.parts.trace?.export() ?? null;
  }

  peers(): Readonly<Record<string, boolean>> {
    return this.#peers.present();
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown();
    return this.#closing;
  }

  frame(from: string, frame: PeerFrame): void {
    switch (frame.kind) {
      case 'tensor': {
        const begin = performance.now();
        this.parts.mailbox.deliver(from, frame);
        this.parts.trace?.add('arrival', frame.inference, frame.channel, begin);
        break;
      }
      case 'start':
        this.#onStart(from, frame.inference);
        break;
      case 'done':
        this.#inFlight.finished(frame.inference, from);
        break;
      case 'abort':
        this.#onAbort(from, frame);
        break;
      case 'clock':
        this.#onClock(from, frame);
        break;
      default:
        frame satisfies never;
    }
  }

  bye(peer: string): void {
    const { device, inputDevice } = this.manifest;
    this.#peers.leave(peer);
    this.#inFlight.gone(peer);
    this.parts.mailbox.gone(peer, peerLost(device, peer, 'it has stopped'));
    if (peer === inputDevice) this.close().catch(() => {});
  }

  malformed(from: string, reason: string, inference: number | null): void {
    this.parts.mailbox.spoil(from, reason, inference);
  }

  lost(peer: string, error: ShardonnxError): void {
    if (this.#peers.leave(peer)) this.#fail(error);
  }

  #checkAble(): void {
    const { device } = this.manifest;
    if (this.#error) throw this.#error;
    if (this.#closing) throw stopped(device);
    const { missing } = this.#peers;
    if (missing !== undefined) throw peerLost(device, missing, 'it has stopped');
  }

  #begin(): number {
    try {
      this.#checkAble();
    } catch (error) {
      this.#inFlight.leave();
      throw error;
    }
    const id = this.parts.mailbox.begin();
    this.#inFlight.start(id, this.manifest.devices);
    this.#peers.tell({ kind: 'start', inference: id });
    return id;
  }

  /** Results keep the order of inferences; a failure is told at once. */
  #run(id: number, inputs: NamedTensors): Promise<NamedTensors> {
    const earlier = this.#earlier;
    const outputs = this.#execute(id, inputs);
    this.#earlier = outputs.then(
      () => earlier,
      () => earlier,
    );
    return outputs.then(async (all) => {
      await earlier;
      return all;
    });
  }

  async #execute(id: number, inputs: NamedTensors): Promise<NamedTensors> {
    const { mailbox, recorder } = this.parts;
    const begin = performance.now();
    try {
      const outputs = await this.#activity.add(
        (async () => this.behaviour.program(inference(id, this.parts), inputs))(),
      );
      recorder.inference(performance.now() - begin);
      this.#inFlight.finished(id, this.manifest.device);
      return outputs;
    } catch (error) {
      this.#inFlight.failed(id);
      if (!this.#peers.haveHeardOf(id)) this.#peers.abort(this.#abortFrame(error, id));
      throw error;
    } finally {
      mailbox.end(id);
    }
  }

  #onStart(from: string, inference: number): void {
    // The peers will hear that this device has stopped.
    if (this.#closing) return;
    const { mailbox } = this.parts;
    if (from !== this.manifest.inputDevice || inference !== mailbox.next) {
      this.malformed(from, `start of inference ${inference}`, null);
      return;
    }
    this.#activity.add(this.#serve(mailbox.begin())).catch((error) => this.#fail(error));
  }

  /** Runs an inference that the holder of the inputs has started. */
  async #serve(id: number): Promise<void> {
    const { inputDevice, outputDevice, device } = this.manifest;
    try {
      await this.#opened;
      const outputs = await this.#run(id, {});
      if (device === outputDevice) await this.#results.push({ inference: id, outputs });
      this.parts.transport.send(inputDevice, { kind: 'done', inference: id });
    } catch (error) {
      if (!(error instanceof ShardonnxError)) this.#fail(error);
      this.behaviour.onFailure?.(id, error);
    }
  }

  #onAbort(from: string, frame: AbortFrame): void {
    const error = peerFailed(frame.device, frame.code, frame.message);
    if (frame.inference === null) {
      this.#peers.leave(from);
      this.#fail(error, frame);
      return;
    }
    if (this.#peers.haveHeardOf(frame.inference)) return;
    this.parts.mailbox.fail(frame.inference, error);
    this.#inFlight.failed(frame.inference);
    // Not all devices know each other; the holder of the inputs knows all.
    if (this.manifest.device === this.manifest.inputDevice) this.#peers.abort(frame, from);
    else this.#peers.knowOfFailure(frame.inference);
  }

  /** All times of a trace are by the clock of the device that holds the inputs, which every device knows. */
  #askTime(): void {
    const { device, inputDevice } = this.manifest;
    if (!this.parts.trace || device === inputDevice || this.#closing) return;
    this.parts.transport.send(inputDevice, { kind: 'clock', asked: now(), answered: null });
  }

  #onClock(from: string, { asked, answered }: ClockFrame): void {
    if (answered === null) this.parts.transport.send(from, { kind: 'clock', asked, answered: now() });
    else if (this.parts.trace?.clock.take(asked, answered, now())) this.#askTime();
  }

  /** The device cannot go on: everything that waits rejects, and the peers are told. */
  #fail(error: unknown, cause?: AbortFrame): void {
    if (this.#error) return;
    const frame = cause ?? this.#abortFrame(error, null);
    const reason = error instanceof ShardonnxError ? error : new ShardonnxError(frame.code, frame.message);
    for (const peer of this.#peers.names) this.parts.mailbox.gone(peer, reason);
    this.#inFlight.refuse(reason);
    this.#inFlight.clear();
    if (this.#closing) return;
    this.#error = error;
    this.#peers.abort(frame);
    this.close().catch(() => {});
  }

  #abortFrame(error: unknown, inference: number | null): AbortFrame {
    const code = error instanceof ShardonnxError ? error.code : 'internal';
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'abort', inference, device: this.manifest.device, code, message };
  }

  async #shutDown(): Promise<void> {
    const { transport, segments } = this.parts;
    this.#inFlight.refuse(this.#error ?? stopped(this.manifest.device));
    try {
      await this.#inFlight.idle();
    } catch {
      // Its devices had their time; the peers are told all the same.
    }
    this.#results.end();
    await this.#activity.quiet();
    if (!this.#error) this.#peers.tell({ kind: 'bye' });
    await transport.close();
    this.deadlines.clear();
    await Promise.allSettled(segments.map((segment) => segment.release()));
    if (this.#error) this.#stopped.reject(this.#error);
    else this.#stopped.resolve();
  }
}
