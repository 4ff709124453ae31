/** So many at once; further ones wait for their turn, in the order of asking. */
import { type Deferred, deferred } from './deferred.ts';

export class Slots {
  readonly #queue: Deferred<void>[] = [];
  #free: number;

  constructor(limit: number) {
    this.#free = limit;
  }

  /** Resolves with a slot taken: {@link leave} gives it back. */
  enter(): Promise<void> {
    const turn = deferred();
    if (this.#free === 0) this.#queue.push(turn);
    else {
      this.#free--;
      turn.resolve();
    }
    return turn.promise;
  }

  leave(): void {
    // Handed over rather than freed: who asks in between must not overtake.
    const next = this.#queue.shift();
    if (next) next.resolve();
    else this.#free++;
  }

  /** Those that wait now get no slot. */
  refuse(error: unknown): void {
    for (const turn of this.#queue.splice(0)) turn.reject(error);
  }

  get waiting(): number {
    return this.#queue.length;
  }
}
