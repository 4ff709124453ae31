/** What this device has sent a peer that has not said yet that it has come, and when it should have. */
import type { Sample } from './bandwidth.ts';

/** Tensors that are kept in mind: peers tell of large ones only, at the latest of the next probe. */
const MOST = 1024;

interface Sent {
  readonly inference: number;
  readonly bytes: number;
  /** ms by this device's clock, here and below. */
  readonly sent: number;
}

/** One direction of a link, at the end where frames leave. */
export class UnderWay {
  /** In the order in which they come. */
  #frames: Sent[] = [];
  /** When the latest of those that have come did. */
  #came = Number.NEGATIVE_INFINITY;
  /** Bytes per ms, by what came last. */
  #rate: number | null = null;

  sent(inference: number, bytes: number, sent: number): void {
    this.#frames.push({ inference, bytes, sent });
    if (this.#frames.length > MOST) this.#frames.shift();
  }

  /** All that was sent until then has come, the last of it at this rate. @param sample of no bytes: nothing is known of the rate */
  came(until: number, { bytes, seconds }: Sample, now: number): void {
    const left = this.#frames.filter(({ sent }) => sent > until);
    if (left.length < this.#frames.length) this.#came = now;
    this.#frames = left;
    if (bytes > 0 && seconds > 0) this.#rate = bytes / (1e3 * seconds);
  }

  /** It has its outputs, so all that was sent for it has come, and what was sent before. */
  finished(inference: number): void {
    this.#frames = this.#frames.slice(1 + this.#frames.findLastIndex((one) => one.inference === inference));
  }

  /** Whether something is under way for which no inference waits any more. */
  isBehind(waits: (inference: number) => boolean): boolean {
    return this.#frames.some(({ inference }) => !waits(inference));
  }

  /** ms; when the last of what was sent until now of this inference and earlier ones has come, or should; null: no rate is known. */
  due(inference: number): number | null {
    if (this.#rate === null) return null;
    const own = this.#frames.filter((one) => one.inference <= inference);
    const from = Math.max(this.#came, own[0]?.sent ?? Number.NEGATIVE_INFINITY);
    return from + own.reduce((sum, { bytes }) => sum + bytes, 0) / this.#rate;
  }
}
