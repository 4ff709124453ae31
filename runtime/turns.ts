/** Whose turn it is to compute: of all inferences in flight that are ready for a segment, the earliest. */

interface Turn {
  readonly inference: number;
  /** Resolves when the segment has run, well or not. */
  readonly run: () => Promise<void>;
}

/**
 * One segment at a time. The choice is made as late as possible: after an event loop's turn, in which the inference that has
 * just computed may ask for its next segment, and in which what peers have sent meanwhile is taken in.
 */
export class Turns {
  readonly #ready: Turn[] = [];
  #busy = false;

  /** @param alone whether there is one inference only, for which that turn of the event loop would be lost */
  constructor(private readonly alone: () => boolean) {}

  /** Resolves or rejects as `work` does. */
  take<T>(inference: number, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#ready.push({ inference, run: () => work().then(resolve, reject) });
      if (this.#busy) return;
      this.#busy = true;
      if (this.alone()) void this.#runOne();
      else setImmediate(() => void this.#runOne());
    });
  }

  async #runOne(): Promise<void> {
    await this.#earliest()?.run();
    if (this.#ready.length === 0) this.#busy = false;
    else setImmediate(() => void this.#runOne());
  }

  #earliest(): Turn | undefined {
    let first = 0;
    for (const [i, { inference }] of this.#ready.entries()) {
      if (inference < (this.#ready[first]?.inference ?? inference)) first = i;
    }
    return this.#ready.splice(first, 1)[0];
  }
}
