/** How fast links are, estimated from the frames that come: sizes are known, and when each was sent by its sender's clock. */

/** Of frames taken together. */
export interface Sample {
  readonly bytes: number;
  /** Seconds that they kept the link busy. */
  readonly seconds: number;
}

/** Bytes; smaller frames tell the latency, not the bandwidth. */
const LARGE = 8 * 1024;
/** ms for which the least delay counts: clocks of two devices drift apart by less than a ms. */
const WINDOW = 20_000;
/** Seconds; event loops are late by so much, and shorter transfers are taken for as long. */
const SHORTEST = 2e-4;
/** Frames that are looked at together: one whose arrival is seen may have waited behind the others. */
const MOST = 64;
/** ms; of frames that are seen with less between them the first may have come long before, while the event loop was late. */
const APART = 1;
/** Samples of one inference that are kept. */
const MOST_SAMPLES = 64;
/** ms by which one direction's frames may be older than the other's: a link that has changed has done so in both. */
const OUTDATED = 1000;

/** A frame on its way. */
interface Frame {
  readonly bytes: number;
  /** ms by the sender's clock. */
  readonly sent: number;
}

/**
 * Of one direction of a link, kept where frames arrive. The least difference of arrival and sending, by two clocks, is the
 * offset of the clocks and the latency; what a frame takes beyond, since it was sent or since the one before it had come, it takes
 * for its bytes.
 */
export class Arrivals {
  /** Of the window before, and of this one. */
  #least: readonly [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  #window = 0;
  /** ms at which the last large frame came whose arrival was seen … */
  #seen = Number.NEGATIVE_INFINITY;
  /** … together with these … */
  #together: readonly Frame[] = [];
  /** … and when the last one before them did. */
  #before = Number.NEGATIVE_INFINITY;
  /** Those that came since. */
  #unseen: readonly Frame[] = [];

  /**
   * @param sent ms by the sender's clock
   * @param now ms by this device's clock
   * @param awaited whether this device was idle: otherwise the frame may have come long before it was seen
   * @returns null where nothing can be told
   */
  took(bytes: number, sent: number, now: number, awaited: boolean): Sample | null {
    this.#meet(sent, now);
    if (bytes > 0) this.#unseen = [...this.#unseen, { bytes, sent }].slice(-MOST);
    if (!awaited || bytes < LARGE) return null;
    if (now - this.#seen >= APART) {
      this.#before = this.#seen;
      this.#together = [];
    }
    this.#together = [...this.#together, ...this.#unseen].slice(-MOST);
    this.#unseen = [];
    this.#seen = now;
    return this.#rate(now);
  }

  #meet(sent: number, now: number): void {
    if (now - this.#window > WINDOW) {
      this.#window = now;
      this.#least = [this.#least[1], Number.POSITIVE_INFINITY];
    }
    const [before, least] = this.#least;
    this.#least = [before, Math.min(least, now - sent)];
  }

  /**
   * The last frame came now, behind those that were sent before it. From each on, they took no less than since it was sent; the
   * one that found the link free took just that.
   */
  #rate(now: number): Sample {
    const offset = Math.min(...this.#least);
    let bytes = 0;
    const behind = this.#together.toReversed().map((frame): Sample => {
      bytes += frame.bytes;
      return { bytes, seconds: Math.max(SHORTEST, (now - Math.max(frame.sent + offset, this.#before)) / 1000) };
    });
    return behind.reduce((a, b) => (b.bytes / b.seconds > a.bytes / a.seconds ? b : a));
  }
}

/** What one direction of a link carried lately: in the latest inference that told anything of it. */
export class Recent {
  #samples: readonly Sample[] = [];
  #at = Number.NEGATIVE_INFINITY;
  #ended = false;

  /** From the next sample on, nothing earlier counts: links change from one inference to the next. */
  begins(): void {
    this.#ended = true;
  }

  /** @param at ms */
  add(sample: Sample, at: number): void {
    this.#samples = [...(this.#ended ? [] : this.#samples.slice(1 - MOST_SAMPLES)), sample];
    this.#ended = false;
    this.#at = at;
  }

  /** ms, of the last sample. */
  get at(): number {
    return this.#at;
  }

  get samples(): readonly Sample[] {
    return this.#samples;
  }
}

/**
 * Bytes per second over a link's directions, without those of which only earlier frames are known; null: none is known. Half of
 * the bytes went faster: a frame that was held up by something else tells nothing.
 */
export function bandwidthOf(directions: readonly Recent[]): number | null {
  const newest = Math.max(...directions.map(({ at }) => at));
  const samples = directions.filter(({ at }) => at >= newest - OUTDATED).flatMap((one) => one.samples);
  const rates = samples.map(({ bytes, seconds }) => ({ bytes, rate: bytes / seconds })).sort((a, b) => a.rate - b.rate);
  let half = rates.reduce((sum, { bytes }) => sum + bytes, 0) / 2;
  for (const { bytes, rate } of rates) {
    half -= bytes;
    if (half <= 0) return rate;
  }
  return null;
}
