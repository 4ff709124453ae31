/** Outputs of finished inferences, until someone takes them. */
import type { NamedTensors } from './program.ts';

export interface Result {
  readonly inference: number;
  readonly outputs: NamedTensors;
}

/** So many wait for a reader; then the device does not report its share as done, and no further inference is started. */
const KEPT = 8;

export class Results {
  readonly #queue: Result[] = [];
  readonly #readers: ((item: IteratorResult<Result, undefined>) => void)[] = [];
  readonly #room: (() => void)[] = [];
  #ended = false;

  /** Resolves when there is room for another. */
  async push(result: Result): Promise<void> {
    const reader = this.#readers.shift();
    if (reader) {
      reader({ value: result, done: false });
      return;
    }
    this.#queue.push(result);
    if (this.#queue.length < KEPT || this.#ended) return;
    await new Promise<void>((resolve) => {
      this.#room.push(resolve);
    });
  }

  end(): void {
    this.#ended = true;
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
    this.#makeRoom();
  }

  [Symbol.asyncIterator](): AsyncIterator<Result, undefined> {
    return { next: () => this.#next() };
  }

  #next(): Promise<IteratorResult<Result, undefined>> {
    const value = this.#queue.shift();
    this.#makeRoom();
    if (value) return Promise.resolve({ value, done: false });
    if (this.#ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => {
      this.#readers.push(resolve);
    });
  }

  #makeRoom(): void {
    for (const resolve of this.#room.splice(0)) resolve();
  }
}
