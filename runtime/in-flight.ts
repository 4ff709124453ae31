/** How many inferences run at once: the holder of the inputs starts another when all devices have finished an earlier one. */
import type { Deadlines } from './deadlines.ts';
import { ShardonnxError } from './error.ts';
import { seconds } from './failures.ts';

export class InFlight {
  /** Devices that have not finished, by inference. */
  readonly #unfinished = new Map<number, Set<string>>();
  readonly #waiting: (() => void)[] = [];

  constructor(
    private readonly limit: number,
    private readonly deadlines: Deadlines,
  ) {}

  start(inference: number, devices: readonly string[]): void {
    this.#unfinished.set(inference, new Set(devices));
  }

  finished(inference: number, device: string): void {
    const unfinished = this.#unfinished.get(inference);
    unfinished?.delete(device);
    if (unfinished?.size === 0) this.failed(inference);
  }

  /** No device is waited for any more. */
  failed(inference: number): void {
    this.#unfinished.delete(inference);
    this.#wake();
  }

  /** A device that will not finish anything any more is not waited for. */
  gone(device: string): void {
    for (const inference of [...this.#unfinished.keys()]) this.finished(inference, device);
  }

  /** Nothing is waited for any more. */
  clear(): void {
    this.#unfinished.clear();
    this.#wake();
  }

  /** Whether another may start. */
  get room(): boolean {
    return this.#unfinished.size < this.limit;
  }

  get idle(): boolean {
    return this.#unfinished.size === 0;
  }

  /** Resolves when {@link room} or {@link idle} may have changed. @throws inference-timeout */
  change(): Promise<void> {
    return new Promise((resolve, reject) => {
      const wait = this.deadlines.add(() => reject(this.#timeout()));
      this.#waiting.push(() => {
        this.deadlines.delete(wait);
        resolve();
      });
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #timeout(): ShardonnxError {
    const [inference, devices] = [...this.#unfinished][0] ?? [];
    const message = `waited ${seconds(this.deadlines.seconds)} for ${[...(devices ?? [])].join(', ')} to finish inference ${inference}`;
    return new ShardonnxError('inference-timeout', message, { hint: '--timeout waits longer' });
  }
}
