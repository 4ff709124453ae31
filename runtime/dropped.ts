/** Frames and connections that are not taken: counted, and told of without drowning the log, however many come. */
import type { Log } from './log.ts';
import type { Counters } from './transport.ts';

/** ms between two lines. */
const PAUSE = 10_000;

export class Dropped {
  #told = Number.NEGATIVE_INFINITY;
  #since = 0;

  constructor(
    private readonly counters: Counters,
    private readonly log: Log,
  ) {}

  /** @param reason what was wrong with it, and from whom it came */
  add(reason: string): void {
    this.counters.framesDropped++;
    this.#since++;
    const now = performance.now();
    if (now - this.#told < PAUSE) return;
    this.log('warn', 'frame-dropped', this.#since === 1 ? reason : `${reason}, and ${this.#since - 1} before it`);
    this.#told = now;
    this.#since = 0;
  }
}
