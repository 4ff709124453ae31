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

interface Fault {
  readonly began: number;
  readonly recovered: () => void;
  /** The first call that began after it, and what plans of several devices had finished by then. */
  first?: { readonly call: number; readonly together: number };
}

export class Tally {
  counts = none();
  /** When each call began. */
  readonly #pending = new Map<number, number>();
  #fault: Fault | undefined;

  constructor(
    private readonly expected: readonly NamedTensors[],
    private readonly inFlight: number,
  ) {}

  /** Counts anew. Resolves with the ms until a call that began after this was answered right by a plan of several devices. */
  async fault(happens: () => void): Promise<number> {
    this.counts = none();
    const began = performance.now();
    const recovery = new Promise<void>((recovered) => {
      this.#fault = { began, recovered };
    });
    happens();
    await recovery;
    return performance.now() - began;
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
    if (this.#fault) delete this.#fault.first;
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
    if (this.#fault) this.#fault.first ??= { call, together };
  }

  #answer(call: number, outputs: NamedTensors, together: number): void {
    const expected = this.expected[call % SEEDS]!;
    const right = Object.entries(expected).every(
      ([name, tensor]) => compare(name, outputs[name], tensor, tolerance).ok,
    );
    if (right) this.counts.right++;
    else this.counts.wrong++;
    this.#pending.delete(call);
    const { first } = this.#fault ?? {};
    // Of those that finished since, fewer than are in flight began before the fault.
    if (!right || !first || call < first.call || together < first.together + this.inFlight) return;
    this.#fault?.recovered();
    this.#fault = undefined;
  }
}
