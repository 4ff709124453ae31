/** A device at work: runs its program once an inference, together with its peers. */
import { Activity } from './activity.ts';
import type { Behaviour, OpenDevice } from './behaviour.ts';
import type { Deadlines } from './deadlines.ts';
import { deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { comesFromOthers, notInputDevice, peerFailed, peerLost, stopped } from './failures.ts';
import type { AbortFrame, ClockFrame } from './frame.ts';
import { InFlight } from './in-flight.ts';
import { inference, type Parts } from './inference.ts';
import { checkInputs } from './inputs.ts';
import { now } from './ipc.ts';
import { type Log, silent } from './log.ts';
import type { DeviceManifest } from './manifest.ts';
import { Peers } from './peers.ts';
import type { NamedTensors } from './program.ts';
import { Readiness } from './readiness.ts';
import { type Result, Results } from './results.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';
import type { PeerFrame, TransportListener } from './transport.ts';

export class RunningDevice implements OpenDevice, TransportListener {
  readonly manifest: DeviceManifest;
  readonly #peers: Peers;
  readonly #readiness: Readiness;
  readonly #inFlight: InFlight;
  readonly #activity: Activity;
  readonly #results = new Results();
  readonly #stopped = deferred();
  readonly #log: Log;
  /** Inferences of calls that have neither their outputs nor their error. */
  readonly #calls = new Set<number>();
  /** Settles when all earlier calls may begin, or may not. */
  #turn: Promise<unknown> = Promise.resolve();
  #opened: Promise<void> = Promise.resolve();
  #isOpen = false;
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
    this.#log = behaviour.log ?? silent;
    this.#peers = new Peers(parts.manifest, parts.transport);
    this.#readiness = new Readiness(parts.manifest.device, this.#peers);
    this.#inFlight = new InFlight(behaviour.inFlight ?? 2 * parts.manifest.devices.length, deadlines);
    this.#activity = new Activity(deadlines);
  }

  /** Joins the peers. */
  async open(): Promise<void> {
    this.#opened = this.parts.transport.open(this);
    try {
      await this.#opened;
      this.#isOpen = true;
      if (this.#holdsInputs) this.#readiness.ask();
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
    try {
      await this.#mayBegin();
    } catch (error) {
      this.#inFlight.leave();
      throw error;
    }
    return this.#inOrder(this.#call(inputs));
  }

  async ready(seconds: number): Promise<void> {
    for (const end = performance.now() + seconds * 1000; ; ) {
      this.#checkAble();
      try {
        return await this.#readiness.wait((end - performance.now()) / 1000);
      } catch (error) {
        // A peer that is lost meanwhile may come back in time.
        if (performance.now() >= end) throw error;
      }
    }
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

  get next(): number {
    return this.parts.mailbox.next;
  }

  joined(peer: string, next: number): void {
    const { inputDevice } = this.manifest;
    this.#peers.join(peer);
    this.parts.mailbox.back(peer);
    // Only the holder of the inputs numbers inferences: above all that anybody has heard of.
    if (this.#holdsInputs || peer === inputDevice) this.parts.mailbox.skip(next);
    if (this.#holdsInputs && this.#isOpen) this.#readiness.ask();
    else this.#readiness.due(inputDevice);
    if (this.#isOpen) this.#log('info', 'peer-joined', `${peer} is back`);
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
      case 'check':
        if (from === this.manifest.inputDevice) this.#readiness.due(from, frame.token);
        break;
      case 'ready':
        this.#readiness.answered(from, frame.token);
        break;
      default:
        frame satisfies never;
    }
  }

  bye(peer: string): void {
    const { device, inputDevice } = this.manifest;
    const error = peerLost(device, peer, 'it has stopped');
    this.#peers.leave(peer, error);
    this.#inFlight.gone(peer);
    this.#readiness.refuse(error);
    this.parts.mailbox.gone(peer, error);
    if (peer === inputDevice && !this.behaviour.stay) this.close().catch(() => {});
  }

  malformed(from: string, reason: string, inference: number | null): void {
    this.parts.mailbox.spoil(from, reason, inference);
  }

  lost(peer: string, error: ShardonnxError): void {
    if (!this.#peers.leave(peer, error) || !this.#isOpen) return;
    if (this.behaviour.rejoin === false) {
      this.#fail(error);
      return;
    }
    const { mailbox } = this.parts;
    this.#log('warn', error.code, error.message);
    mailbox.gone(peer, error);
    // Who starts inferences, and who is told of failed ones, ends all that the two had in common.
    if (this.#holdsInputs || peer === this.manifest.inputDevice) {
      for (const inference of mailbox.running) mailbox.fail(inference, error);
    }
    this.#inFlight.gone(peer);
    this.#readiness.refuse(error);
  }

  refused(error: ShardonnxError): void {
    this.#fail(error);
  }

  get #holdsInputs(): boolean {
    return this.manifest.device === this.manifest.inputDevice;
  }

  #checkAble(): void {
    if (this.#error) throw this.#error;
    if (this.#closing) throw stopped(this.manifest.device);
  }

  /** In the order of calls. @throws peer-lost, not-ready, stopped */
  async #mayBegin(): Promise<void> {
    const before = this.#turn;
    const own = this.#awaitPeers();
    this.#turn = Promise.allSettled([before, own]);
    await this.#turn;
    await own;
    this.#checkAble();
  }

  async #awaitPeers(): Promise<void> {
    this.#checkAble();
    const missing = this.#peers.missing();
    if (missing) throw missing;
    await this.#readiness.wait(this.deadlines.seconds);
  }

  #begin(): number {
    const id = this.parts.mailbox.begin();
    this.#calls.add(id);
    this.#inFlight.start(id, this.manifest.devices);
    this.#peers.tellAll({ kind: 'start', inference: id });
    return id;
  }

  async #call(inputs: NamedTensors): Promise<NamedTensors> {
    const id = this.#begin();
    try {
      const outputs = await this.#execute(id, inputs);
      this.#calls.delete(id);
      if (this.#peers.haveHeardOf(id)) this.#inFlight.failed(id);
      else this.#inFlight.finished(id, this.manifest.device);
      return outputs;
    } catch (error) {
      this.#calls.delete(id);
      this.#inFlight.failed(id);
      // Is a device that did not do its part still there, and able to?
      if (comesFromOthers(error)) this.#readiness.ask();
      throw error;
    }
  }

  /** Results keep the order of inferences; a failure is told at once. */
  async #inOrder(outputs: Promise<NamedTensors>): Promise<NamedTensors> {
    const earlier = this.#earlier;
    this.#earlier = outputs.then(
      () => earlier,
      () => earlier,
    );
    const all = await outputs;
    await earlier;
    return all;
  }

  async #execute(id: number, inputs: NamedTensors): Promise<NamedTensors> {
    const { mailbox, recorder } = this.parts;
    const begin = performance.now();
    try {
      const outputs = await this.#activity.add(
        (async () => this.behaviour.program(inference(id, this.parts), inputs))(),
      );
      recorder.inference(performance.now() - begin);
      return outputs;
    } catch (error) {
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
    if (from !== this.manifest.inputDevice || !mailbox.mayBegin(inference)) {
      this.malformed(from, `start of inference ${inference}`, null);
      return;
    }
    this.#activity.add(this.#serve(mailbox.begin(inference))).catch((error) => this.#fail(error));
  }

  /** Runs an inference that the holder of the inputs has started. */
  async #serve(id: number): Promise<void> {
    const { inputDevice, outputDevice, device } = this.manifest;
    try {
      await this.#opened;
      const outputs = await this.#inOrder(this.#execute(id, {}));
      if (device === outputDevice) await this.#results.push({ inference: id, outputs });
      this.#peers.tell(inputDevice, { kind: 'done', inference: id });
    } catch (error) {
      if (!(error instanceof ShardonnxError)) this.#fail(error);
      this.behaviour.onFailure?.(id, error);
    }
  }

  #onAbort(from: string, frame: AbortFrame): void {
    const error = peerFailed(frame.device, frame.code, frame.message);
    if (frame.inference === null) {
      if (this.behaviour.rejoin === false) {
        this.#peers.leave(from, error);
        this.#fail(error, frame);
      } else this.lost(from, error);
      return;
    }
    if (this.#peers.haveHeardOf(frame.inference)) return;
    this.parts.mailbox.fail(frame.inference, error);
    if (!this.#calls.has(frame.inference)) this.#inFlight.failed(frame.inference);
    // Not all devices know each other; the holder of the inputs knows all.
    if (this.#holdsInputs) this.#peers.abort(frame, from);
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
    for (const inference of this.parts.mailbox.running) this.parts.mailbox.fail(inference, reason);
    this.#inFlight.refuse(reason);
    this.#readiness.refuse(reason);
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
    this.#readiness.refuse(this.#error ?? stopped(this.manifest.device));
    try {
      await this.#inFlight.idle();
    } catch {
      // Its devices had their time; the peers are told all the same.
    }
    this.#results.end();
    await this.#activity.quiet();
    if (!this.#error) this.#peers.tellAll({ kind: 'bye' });
    await transport.close();
    this.deadlines.clear();
    await Promise.allSettled(segments.map((segment) => segment.release()));
    if (this.#error) this.#stopped.reject(this.#error);
    else this.#stopped.resolve();
  }
}
