/** How many inferences run at once: the holder of the inputs starts another when all devices have finished an earlier one. */
import type { Deadlines, Wait } from './deadlines.ts';
import { type Deferred, deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { seconds } from './failures.ts';
import { Slots } from './slots.ts';

export class InFlight {
  /** Devices that have not finished, by inference. */
  readonly #unfinished = new Map<number, Set<string>>();
  readonly #slots: Slots;
  readonly #idle: Deferred<void>[] = [];
  /** Of all who wait here; it begins anew whenever an inference ends. */
  #wait: Wait | undefined;

  constructor(
    limit: number,
    private readonly deadlines: Deadlines,
  ) {
    this.#slots = new Slots(limit);
  }

  /** Resolves, in the order of calls, when another may {@link start}. @throws inference-timeout, what {@link refuse} was given */
  enter(): Promise<void> {
    const entered = this.#slots.enter();
    this.#watch();
    return entered;
  }

  /** Nothing is started after all. */
  leave(): void {
    this.#slots.leave();
    this.#watch();
  }

  start(inference: number, devices: readonly string[]): void {
    this.#unfinished.set(inference, new Set(devices));
  }

  /** What was one inference goes on as another, in the same place. */
  again(inference: number, next: number, devices: readonly string[]): void {
    this.#unfinished.delete(inference);
    this.start(next, devices);
  }

  finished(inference: number, device: string): void {
    const unfinished = this.#unfinished.get(inference);
    unfinished?.delete(device);
    if (unfinished?.size === 0) this.failed(inference);
  }

  /** No device is waited for any more. */
  failed(inference: number): void {
    if (!this.#unfinished.delete(inference)) return;
    this.#slots.leave();
    if (this.#unfinished.size === 0) for (const one of this.#idle.splice(0)) one.resolve();
    this.#watch(true);
  }

  /** A device that will not finish anything any more is not waited for. */
  gone(device: string): void {
    for (const inference of [...this.#unfinished.keys()]) this.finished(inference, device);
  }

  /** Nothing is waited for any more. */
  clear(): void {
    for (const inference of [...this.#unfinished.keys()]) this.failed(inference);
  }

  /** Those that wait to {@link enter} will not. */
  refuse(error: unknown): void {
    this.#slots.refuse(error);
    this.#watch();
  }

  /** Resolves when no inference is in flight. @throws inference-timeout */
  idle(): Promise<void> {
    const idle = deferred();
    if (this.#unfinished.size === 0) idle.resolve();
    else this.#idle.push(idle);
    this.#watch();
    return idle.promise;
  }

  #watch(anew = false): void {
    const needed = this.#slots.waiting + this.#idle.length > 0;
    if (this.#wait && (anew || !needed)) {
      this.deadlines.delete(this.#wait);
      this.#wait = undefined;
    }
    if (needed) this.#wait ??= this.deadlines.add(() => this.#expire());
  }

  #expire(): void {
    this.#wait = undefined;
    const error = this.#timeout();
    this.#slots.refuse(error);
    for (const one of this.#idle.splice(0)) one.reject(error);
  }

  #timeout(): ShardonnxError {
    const [inference, devices] = [...this.#unfinished][0] ?? [];
    const message = `waited ${seconds(this.deadlines.seconds)} for ${[...(devices ?? [])].join(', ')} to finish inference ${inference}`;
    return new ShardonnxError('inference-timeout', message, { hint: '--timeout waits longer' });
  }
}
