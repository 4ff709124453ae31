/** Many waits of equal length on one timer, so that the hot path sets and clears none. */

export interface Wait {
  /** performance.now() at which it ends. */
  end: number;
  readonly expire: () => void;
  late: boolean;
}

/**
 * A wait found over its time gets a moment more: the event loop may have been held by onnxruntime until after the end,
 * with what is waited for already in the socket.
 */
const GRACE_MS = 25;

export class Deadlines {
  readonly #waits = new Set<Wait>();
  #timer: NodeJS.Timeout | undefined;

  constructor(readonly seconds: number) {}

  /** Calls `expire` unless the wait is removed in time. */
  add(expire: () => void): Wait {
    const wait = { end: performance.now() + this.seconds * 1000, expire, late: false };
    this.#waits.add(wait);
    this.#timer ??= setTimeout(() => this.#check(), this.seconds * 1000);
    return wait;
  }

  delete(wait: Wait): void {
    this.#waits.delete(wait);
  }

  /** The wait's time begins anew, if it has not ended. */
  restart(wait: Wait): void {
    if (!this.#waits.delete(wait)) return;
    wait.end = performance.now() + this.seconds * 1000;
    wait.late = false;
    this.#waits.add(wait);
  }

  /** Waits that have neither ended nor been removed. */
  get size(): number {
    return this.#waits.size;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waits.clear();
  }

  /** The set is in the order of ends: all waits are equally long. */
  #check(): void {
    this.#timer = undefined;
    const now = performance.now();
    let next: number | undefined;
    for (const wait of this.#waits) {
      if (wait.end > now) {
        next ??= wait.end - now;
        break;
      }
      if (!wait.late) {
        wait.late = true;
        next = GRACE_MS;
        continue;
      }
      this.#waits.delete(wait);
      wait.expire();
    }
    if (next !== undefined) this.#timer ??= setTimeout(() => this.#check(), next);
  }
}
