/** What a device has at work, so that it can end before the device does. */
import type { Deadlines } from './deadlines.ts';

export class Activity {
  readonly #running = new Set<Promise<unknown>>();

  constructor(private readonly deadlines: Deadlines) {}

  add<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const end = () => this.#running.delete(work);
    work.then(end, end);
    return work;
  }

  /** Resolves when nothing that was added before runs any more, or has had its time. */
  async quiet(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const wait = this.deadlines.add(resolve);
      void Promise.allSettled(this.#running).then(() => {
        this.deadlines.delete(wait);
        resolve();
      });
    });
  }
}
