/** How fast links are, estimated from the frames that come: sizes are known, and when each was sent by its sender's clock. */

/** Of frames taken together. */
export interface Sample {
  readonly bytes: number;
  /** Seconds that they kept the link busy. */
  readonly seconds: number;
}

/** Bytes; smaller frames tell the latency, not the bandwidth. */
const LARGE = 8 * 1024;
/** What is left of earlier frames' weight at each further one. */
const DECAY = 0.6;
/** ms for which the least delay counts: clocks of two devices drift apart by less than a ms. */
const WINDOW = 20_000;
/** Seconds; event loops are late by so much, and shorter transfers are taken for as long. */
const SHORTEST = 2e-4;

/**
 * Of one direction of a link, kept where frames arrive. The least difference of arrival and sending, by two clocks, is the
 * offset of the clocks and the latency; what a frame takes beyond, since it was sent or since the one before it had come, it takes
 * for its bytes.
 */
export class Estimate {
  #bytes = 0;
  #seconds = 0;
  /** Of the window before, and of this one. */
  #least: readonly [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  #window = 0;
  #before = Number.NEGATIVE_INFINITY;

  /**
   * @param sent ms by the sender's clock
   * @param arrived ms by this device's clock
   * @param awaited whether this device was idle for it: otherwise it may have come long before it was seen
   */
  took(bytes: number, sent: number, arrived: number, awaited: boolean): void {
    if (arrived - this.#window > WINDOW) {
      this.#window = arrived;
      this.#least = [this.#least[1], Number.POSITIVE_INFINITY];
    }
    const [earlier, now] = this.#least;
    this.#least = [earlier, Math.min(now, arrived - sent)];
    const begin = Math.max(sent + Math.min(...this.#least), this.#before);
    this.#before = arrived;
    const seconds = Math.max(SHORTEST, (arrived - begin) / 1000);
    if (bytes < LARGE || !awaited) return;
    this.#bytes = DECAY * this.#bytes + bytes;
    this.#seconds = DECAY * this.#seconds + seconds;
  }

  /** null before the first large frame. */
  get sample(): Sample | null {
    return this.#seconds > 0 ? { bytes: this.#bytes, seconds: this.#seconds } : null;
  }
}

/** Bytes per second over several directions; null where none is known. */
export function bandwidthOf(samples: readonly (Sample | null)[]): number | null {
  const known = samples.filter((sample) => sample !== null);
  const seconds = known.reduce((sum, sample) => sum + sample.seconds, 0);
  return seconds > 0 ? known.reduce((sum, sample) => sum + sample.bytes, 0) / seconds : null;
}
