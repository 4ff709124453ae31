/** What became of every call since the last fault: answers compared with onnxruntime's, failures, and calls without an end. */
import { compare, tolerance } from '../../../compiler/compare.ts';
import type { NamedTensors } from '../../../runtime/index.ts';
import { type FromFeeder, SEEDS } from '../feeder.ts';

/** Seconds after which a call that has neither an answer nor an error counts as hanging. */
export const HANGS = 10;

/** Of the time between two faults. */
export interface Counts {
  right: number;
  wrong: number;
  /** By code. */
  failed: Record<string, number>;
  /** Failed with something that has no code. */
  unclear: number;
  hangs: number;
  /** Ended with the process that made them. */
  gone: number;
}

const none = (): Counts => ({ right: 0, wrong: 0, failed: {}, unclear: 0, hangs: 0, gone: 0 });

interface Recovery {
  readonly done: () => void;
  /** The first call that began since it is waited for, and what plans of several devices had finished by then. */
  first?: { readonly call: number; readonly together: number };
}

export class Tally {
  counts = none();
  /** When each call began. */
  readonly #pending = new Map<number, number>();
  #recovery: Recovery | undefined;

  constructor(
    private readonly expected: readonly NamedTensors[],
    private readonly inFlight: number,
  ) {}

  /** From the next fault on. */
  countAnew(): void {
    this.counts = none();
  }

  /** Resolves when a call that began after this was answered right by a plan of several devices. */
  recovery(): Promise<void> {
    return new Promise((done) => {
      this.#recovery = { done };
    });
  }

  hear(message: FromFeeder): void {
    if (message.type === 'begun') this.#begun(message.call, message.together);
    else if (message.type === 'answer') this.#answer(message.call, message.outputs, message.together);
    else if (message.type === 'failed' && this.#pending.delete(message.call)) {
      if (!message.clear) this.counts.unclear++;
      else this.counts.failed[message.code] = (this.counts.failed[message.code] ?? 0) + 1;
    }
  }

  /** The process that made the calls has ended; another one counts its own from 0. */
  end(): void {
    this.counts.gone += this.#pending.size;
    this.#pending.clear();
    if (this.#recovery) delete this.#recovery.first;
  }

  /** Call it now and then. */
  watch(): void {
    for (const [call, began] of this.#pending) {
      if (performance.now() - began < 1e3 * HANGS) continue;
      this.#pending.delete(call);
      this.counts.hangs++;
    }
  }

  #begun(call: number, together: number): void {
    this.#pending.set(call, performance.now());
    if (this.#recovery) this.#recovery.first ??= { call, together };
  }

  #answer(call: number, outputs: NamedTensors, together: number): void {
    const expected = this.expected[call % SEEDS]!;
    const right = Object.entries(expected).every(
      ([name, tensor]) => compare(name, outputs[name], tensor, tolerance).ok,
    );
    if (right) this.counts.right++;
    else this.counts.wrong++;
    this.#pending.delete(call);
    const { first } = this.#recovery ?? {};
    // Of those that finished since, fewer than are in flight began before it.
    if (!right || !first || call < first.call || together < first.together + this.inFlight) return;
    this.#recovery?.done();
    this.#recovery = undefined;
  }
}
