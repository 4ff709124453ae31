/** A device at work: runs its program once an inference, together with its peers. */
import { Activity } from './activity.ts';
import type { Behaviour, OpenDevice } from './behaviour.ts';
import { Calls } from './calls.ts';
import { Choice } from './choice.ts';
import type { Deadlines } from './deadlines.ts';
import { deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { ABANDONED, noSuchPlan, notInputDevice, peerLost, stopped, told } from './failures.ts';
import type { AbortFrame, ClockFrame, StartFrame, TensorFrame } from './frame.ts';
import { inference, type Parts } from './inference.ts';
import { checkInputs } from './inputs.ts';
import { now } from './ipc.ts';
import { Links } from './links.ts';
import { type Log, silent } from './log.ts';
import { byteLength } from './mailbox.ts';
import type { DeviceManifest } from './manifest.ts';
import { Peers } from './peers.ts';
import type { NamedTensors, Program } from './program.ts';
import { Readiness } from './readiness.ts';
import { type Result, Results } from './results.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';
import type { PeerFrame, TransportListener } from './transport.ts';

/** ms. */
const IDLE = 1;

export class RunningDevice implements OpenDevice, TransportListener {
  readonly manifest: DeviceManifest;
  readonly #peers: Peers;
  readonly #readiness: Readiness;
  readonly #choice: Choice;
  readonly #links: Links;
  readonly #programs: readonly Program[];
  readonly #calls: Calls;
  readonly #activity: Activity;
  readonly #results = new Results();
  readonly #stopped = deferred();
  readonly #log: Log;
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
    const { program, plan = null } = behaviour;
    this.#programs = typeof program === 'function' ? [program] : program;
    this.#choice = new Choice(
      parts.manifest,
      (devices) => !this.#peers.missing(devices) && this.#readiness.has(devices),
    );
    this.#choice.use(plan);
    const hasChoice = this.#choice.plans.length > 1 && !parts.transport.inProcess;
    this.#links = new Links(this.#peers, hasChoice && !this.#holdsInputs ? parts.manifest.inputDevice : null);
    this.#calls = new Calls(behaviour.inFlight ?? 2 * parts.manifest.devices.length, deadlines, parts, {
      peers: this.#peers,
      readiness: this.#readiness,
      choice: this.#choice,
      links: this.#links,
      log: this.#log,
      execute: (id, plan, inputs) => this.#execute(id, plan, inputs),
      checkAble: () => this.#checkAble(),
      hasFailed: () => this.#error !== undefined,
    });
    this.#activity = new Activity(deadlines);
  }

  /** Joins the peers. */
  async open(): Promise<void> {
    this.#opened = this.parts.transport.open(this);
    try {
      await this.#opened;
    } catch (error) {
      if (!this.#goesAlone(error)) {
        this.#fail(error);
        await this.close();
        throw this.#error ?? error;
      }
      this.#log('warn', error.code, error.message);
    }
    this.#isOpen = true;
    if (this.#holdsInputs) this.#readiness.ask();
    // The plan to begin with is the first one, not the one for when peers are lost.
    if (this.#choice.fallback !== null && this.#holdsInputs && this.#peers.complete) {
      await this.#readiness.wait(this.deadlines.seconds).catch(() => {});
    }
    if (this.#holdsInputs && this.#choice.plans.length > 1 && !this.parts.transport.inProcess) this.#links.watch();
    this.#askTime();
  }

  async infer(inputs: NamedTensors): Promise<NamedTensors> {
    const { device, inputDevice, inputs: specs } = this.manifest;
    if (device !== inputDevice) throw notInputDevice(device, inputDevice);
    checkInputs(specs, inputs);
    this.#checkAble();
    const { outputs } = await this.#calls.begin(inputs);
    return this.#inOrder(outputs);
  }

  async ready(seconds: number): Promise<void> {
    return this.#calls.ready(seconds);
  }

  use(plan: number | null): void {
    this.#choice.use(plan);
  }

  results(): AsyncIterable<Result, undefined> {
    return this.#results;
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  stats(): DeviceStats {
    const { recorder, mailbox, transport } = this.parts;
    return recorder.stats(this.manifest.device, mailbox.size, !transport.inProcess, this.#links.bandwidth);
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
      case 'tensor':
        this.#onTensor(from, frame);
        break;
      case 'start':
        this.#onStart(from, frame);
        break;
      case 'done':
        this.#calls.inFlight.finished(frame.inference, from);
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
      case 'probe':
        this.#links.probed(from, frame, this.#seesAtOnce);
        break;
      case 'rate':
        this.#links.told(from, frame, this.#seesAtOnce);
        this.#calls.heard();
        break;
      default:
        frame satisfies never;
    }
  }

  #onTensor(from: string, frame: TensorFrame): void {
    const begin = performance.now();
    this.parts.mailbox.deliver(from, frame);
    this.parts.trace?.add('arrival', frame.inference, frame.channel, begin);
    this.#links.took(from, byteLength(frame.tensor), frame.sent, this.#seesAtOnce);
  }

  bye(peer: string): void {
    const { device, inputDevice } = this.manifest;
    const error = peerLost(device, peer, 'it has stopped');
    this.#peers.leave(peer, error);
    // A probe that it has not answered is no longer under way.
    this.#links.forget(peer);
    this.#calls.inFlight.gone(peer);
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
      for (const inference of mailbox.running) if (!this.#calls.spares(inference, peer)) mailbox.fail(inference, error);
    }
    this.#links.forget(peer);
    this.#calls.inFlight.gone(peer);
    this.#readiness.refuse(error);
  }

  refused(error: ShardonnxError): void {
    this.#fail(error);
  }

  get #holdsInputs(): boolean {
    return this.manifest.device === this.manifest.inputDevice;
  }

  /** Whether what comes now is seen when it comes: what is seen right after a segment may have come long before. */
  get #seesAtOnce(): boolean {
    return this.parts.recorder.idleMs >= IDLE;
  }

  #checkAble(): void {
    if (this.#error) throw this.#error;
    if (this.#closing) throw stopped(this.manifest.device);
  }

  /** Peers that have not come in time are missed by no plan of this device's own. */
  #goesAlone(error: unknown): error is ShardonnxError {
    const { rejoin } = this.behaviour;
    if (!this.#holdsInputs || this.#choice.fallback === null || rejoin === false) return false;
    return error instanceof ShardonnxError && error.code === 'peer-missing';
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

  async #execute(id: number, plan: number, inputs: NamedTensors): Promise<NamedTensors> {
    const { mailbox, recorder } = this.parts;
    const begin = performance.now();
    const program = this.#programs[plan];
    const name = this.#choice.plans[plan]?.name ?? '';
    recorder.begins(name);
    try {
      if (!program) throw noSuchPlan(plan, this.#programs.length);
      const outputs = await this.#activity.add((async () => program(inference(id, this.parts, this.#links), inputs))());
      recorder.inference(performance.now() - begin, name);
      return outputs;
    } catch (error) {
      if (!this.#peers.haveHeardOf(id)) this.#peers.abort(this.#abortFrame(error, id));
      throw error;
    } finally {
      mailbox.end(id);
    }
  }

  #onStart(from: string, { inference, plan = 0, sent }: StartFrame): void {
    // The peers will hear that this device has stopped.
    if (this.#closing) return;
    const { mailbox } = this.parts;
    if (from !== this.manifest.inputDevice || !mailbox.mayBegin(inference)) {
      this.malformed(from, `start of inference ${inference}`, null);
      return;
    }
    this.#links.begins(this.#choice.plans[plan]?.devices ?? []);
    this.#links.took(from, 0, sent, this.#seesAtOnce);
    this.#activity.add(this.#serve(mailbox.begin(inference), plan)).catch((error) => this.#fail(error));
  }

  /** Runs an inference that the holder of the inputs has started. */
  async #serve(id: number, plan: number): Promise<void> {
    const { inputDevice, outputDevice, device } = this.manifest;
    try {
      await this.#opened;
      const outputs = await this.#inOrder(this.#execute(id, plan, {}));
      if (device === outputDevice) await this.#results.push({ inference: id, outputs });
      this.#peers.tell(inputDevice, { kind: 'done', inference: id });
    } catch (error) {
      if (!(error instanceof ShardonnxError)) this.#fail(error);
      else if (error.code === ABANDONED) return this.#log('info', error.code, error.message, { inference: id });
      this.behaviour.onFailure?.(id, error);
    }
  }

  #onAbort(from: string, frame: AbortFrame): void {
    const error = told(frame);
    if (frame.inference === null) {
      if (this.behaviour.rejoin === false) {
        this.#peers.leave(from, error);
        this.#fail(error, frame);
      } else this.lost(from, error);
      return;
    }
    if (this.#peers.haveHeardOf(frame.inference)) return;
    this.parts.mailbox.fail(frame.inference, error);
    this.#calls.aborted(frame.inference);
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
    this.#calls.inFlight.refuse(reason);
    this.#readiness.refuse(reason);
    this.#calls.inFlight.clear();
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
    this.#calls.inFlight.refuse(this.#error ?? stopped(this.manifest.device));
    this.#readiness.refuse(this.#error ?? stopped(this.manifest.device));
    try {
      await this.#calls.inFlight.idle();
    } catch {
      // Its devices had their time; the peers are told all the same.
    }
    this.#links.close();
    this.#calls.close();
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
