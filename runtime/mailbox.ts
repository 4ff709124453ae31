/** Tensors that have come, and programs that wait for them, by inference and channel. */
import type { Deadlines, Wait } from './deadlines.ts';
import type { ShardonnxError } from './error.ts';
import { badFrame, receiveTimeout } from './failures.ts';
import type { TensorFrame } from './frame.ts';
import type { ChannelSpec } from './manifest.ts';
import type { Tensor } from './program.ts';
import type { Recorder } from './stats.ts';
import { bytesOf, mismatch } from './tensor.ts';

interface Waiter {
  readonly peer: string;
  readonly begin: number;
  readonly wait: Wait;
  readonly resolve: (tensor: Tensor) => void;
  readonly reject: (error: unknown) => void;
}

/** One inference: what came, who waits, and why it can no longer succeed. */
interface Box {
  readonly arrived: Map<number, Tensor>;
  /** Channels whose tensor came; it is handed out once. */
  readonly seen: Set<number>;
  readonly waiting: Map<number, Waiter>;
  /** Peers that nothing more comes from, also if they are back. */
  readonly gone: Map<string, ShardonnxError>;
  /** If not, something came before its start. */
  begun: boolean;
  error: ShardonnxError | null;
}

/** Frames may run ahead of `start` by this many inferences; more is a broken peer. */
const MAX_AHEAD = 1024;

export class Mailbox {
  readonly #boxes = new Map<number, Box>();
  readonly #gone = new Map<string, ShardonnxError>();
  #next = 0;
  #spoilt: ShardonnxError | null = null;

  constructor(
    private readonly device: string,
    /** By id. */
    private readonly channels: ReadonlyMap<number, ChannelSpec>,
    private readonly deadlines: Deadlines,
    private readonly recorder: Recorder,
  ) {}

  /** The lowest id of which nothing is known here; {@link begin} takes none that is below. */
  get next(): number {
    return Math.max(this.#next, ...[...this.#boxes.keys()].map((inference) => inference + 1));
  }

  /** No inference below `next` begins any more. */
  skip(next: number): void {
    this.#next = Math.max(this.#next, next);
    for (const [inference, { begun }] of this.#boxes)
      if (!begun && inference < this.#next) this.#boxes.delete(inference);
  }

  /** Whether {@link begin} takes it. */
  mayBegin(inference: number): boolean {
    return inference >= this.#next;
  }

  /** Inferences that have begun, or of which something has come, and that have not ended. */
  get size(): number {
    return this.#boxes.size;
  }

  /** Ids are used once, also by other devices before this one was opened; their order is that of beginning. */
  begin(inference: number = this.#next): number {
    const box = this.#box(inference);
    box.begun = true;
    this.skip(inference + 1);
    box.error ??= this.#spoilt;
    this.#spoilt = null;
    return inference;
  }

  /** Whether this inference has begun and not ended. */
  isRunning(inference: number): boolean {
    return this.#boxes.get(inference)?.begun ?? false;
  }

  /** Whether this inference waits for a tensor. */
  waits(inference: number): boolean {
    return (this.#boxes.get(inference)?.waiting.size ?? 0) > 0;
  }

  get running(): number[] {
    return [...this.#boxes].flatMap(([inference, { begun }]) => (begun ? [inference] : []));
  }

  /** @throws what {@link fail} was told of the inference */
  check(inference: number): void {
    const error = this.#boxes.get(inference)?.error;
    if (error) throw error;
  }

  /** Frames of this inference that still come are dropped. */
  end(inference: number): void {
    const box = this.#boxes.get(inference);
    this.#boxes.delete(inference);
    for (const { wait } of box?.waiting.values() ?? []) this.deadlines.delete(wait);
    this.#grantTime(inference, () => true);
  }

  deliver(from: string, { inference, channel: id, tensor }: TensorFrame): void {
    if (inference < this.#next && !this.#boxes.has(inference)) {
      this.recorder.dropped.add(`${from} sent a tensor of inference ${inference}, which has ended`);
      return;
    }
    if (inference >= this.#next + MAX_AHEAD) {
      this.spoil(from, `inference ${inference} while ${this.#next} is next`, null);
      return;
    }
    const box = this.#box(inference);
    const reason = this.#refusal(from, id, tensor, box);
    if (reason) {
      this.spoil(from, reason, inference);
      return;
    }
    this.recorder.counters.bytesReceived += byteLength(tensor);
    box.seen.add(id);
    this.#grantTime(inference, (waiter) => waiter.peer === from);
    const waiter = box.waiting.get(id);
    if (!waiter) {
      box.arrived.set(id, tensor);
      return;
    }
    box.waiting.delete(id);
    this.deadlines.delete(waiter.wait);
    this.recorder.waited(performance.now() - waiter.begin);
    waiter.resolve(tensor);
  }

  /** @throws receive-timeout, peer-lost, peer-failed, bad-frame */
  receive(inference: number, from: string, id: number): Promise<Tensor> {
    const box = this.#boxes.get(inference);
    const tensor = box?.arrived.get(id);
    if (tensor) {
      box?.arrived.delete(id);
      return Promise.resolve(tensor);
    }
    const promise = box
      ? this.#wait(box, from, id)
      : Promise.reject(new RangeError(`inference ${inference} has ended`));
    // A program may ask early and fail elsewhere before it awaits this.
    promise.catch(() => {});
    return promise;
  }

  #wait(box: Box, from: string, id: number): Promise<Tensor> {
    return new Promise((resolve, reject) => {
      const error = box.error ?? box.gone.get(from) ?? this.#gone.get(from);
      if (error) {
        reject(error);
        return;
      }
      const expire = () => {
        box.waiting.delete(id);
        const name = this.channels.get(id)?.name ?? 'a tensor';
        reject(receiveTimeout(this.device, from, id, name, this.deadlines.seconds));
      };
      box.waiting.set(id, { peer: from, begin: performance.now(), wait: this.deadlines.add(expire), resolve, reject });
    });
  }

  /** Every present and future wait of this inference rejects with `error`. */
  fail(inference: number, error: ShardonnxError): void {
    if (inference < this.#next && !this.#boxes.has(inference)) return;
    if (inference >= this.#next + MAX_AHEAD) return;
    const box = this.#box(inference);
    box.error ??= error;
    this.#reject(box, () => true, error);
  }

  /** A frame that is none. Fails the inference it names; one that names none fails those that run, or else the next. */
  spoil(from: string, reason: string, inference: number | null): void {
    const error = badFrame(this.device, from, reason);
    this.recorder.dropped.add(error.message);
    if (inference !== null) {
      this.fail(inference, error);
      return;
    }
    const { running } = this;
    if (running.length === 0) this.#spoilt = error;
    for (const key of running) this.fail(key, error);
  }

  /** What `peer` has sent can still be received, nothing more; of inferences that have begun by now, also not if it is back. */
  gone(peer: string, error: ShardonnxError): void {
    this.#gone.set(peer, error);
    for (const box of this.#boxes.values()) {
      if (!box.gone.has(peer)) box.gone.set(peer, error);
      this.#reject(box, (waiter) => waiter.peer === peer, error);
    }
  }

  back(peer: string): void {
    this.#gone.delete(peer);
  }

  /** Peers, too, work on the earlier of two inferences first: what waits in later ones waited for this step as well. */
  #grantTime(inference: number, which: (waiter: Waiter) => boolean): void {
    for (const [key, box] of this.#boxes) {
      if (key <= inference) continue;
      for (const waiter of box.waiting.values()) if (which(waiter)) this.deadlines.restart(waiter.wait);
    }
  }

  #reject(box: Box, which: (waiter: Waiter) => boolean, error: ShardonnxError): void {
    for (const [id, waiter] of box.waiting) {
      if (!which(waiter)) continue;
      box.waiting.delete(id);
      this.deadlines.delete(waiter.wait);
      waiter.reject(error);
    }
  }

  #refusal(from: string, id: number, tensor: Tensor, box: Box): string | null {
    const channel = this.channels.get(id);
    if (!channel || channel.from !== from || channel.to !== this.device) return `channel ${id}`;
    if (box.seen.has(id)) return `channel ${id} twice in one inference`;
    const wrong = mismatch(channel, tensor);
    return wrong && `channel ${id} ("${channel.name}") with ${wrong.what} ${wrong.given}, expected ${wrong.expected}`;
  }

  #box(inference: number): Box {
    let box = this.#boxes.get(inference);
    if (!box) {
      box = { arrived: new Map(), seen: new Set(), waiting: new Map(), gone: new Map(), begun: false, error: null };
      this.#boxes.set(inference, box);
    }
    return box;
  }
}

export const byteLength = (tensor: Tensor): number =>
  Array.isArray(tensor.data) ? bytesOf(tensor).length : tensor.data.byteLength;
