/** Whether an inference may start: the holder of the inputs asks all devices, and each answers once it has its own peers. */
import { type Deferred, deferred } from './deferred.ts';
import { notReady } from './failures.ts';
import type { Peers } from './peers.ts';

export class Readiness {
  /** Of the latest question; answers to earlier ones do not count. */
  #token = 0;
  /** Devices that have not answered it. */
  readonly #asked: Set<string>;
  readonly #waiting = new Set<Deferred<void>>();
  /** The holder's question that this device cannot answer yet. */
  #unanswered: number | undefined;

  constructor(
    private readonly device: string,
    private readonly peers: Peers,
  ) {
    this.#asked = new Set(peers.names);
  }

  /** Something has changed: only what devices say from now on counts. */
  ask(): void {
    this.#token++;
    for (const peer of this.peers.names) this.#asked.add(peer);
    this.peers.tellAll({ kind: 'check', token: this.#token });
  }

  /** A peer's answer. */
  answered(peer: string, token: number): void {
    if (token !== this.#token) return;
    this.#asked.delete(peer);
    if (this.#asked.size === 0) for (const one of this.#waiting) one.resolve();
  }

  /** Whether all of these have answered. */
  has(devices: readonly string[]): boolean {
    return devices.every((device) => !this.#asked.has(device));
  }

  /** Resolves when all have answered. @throws not-ready, what {@link refuse} is given */
  async wait(seconds: number): Promise<void> {
    if (this.#asked.size === 0) return;
    const one = deferred();
    this.#waiting.add(one);
    const timer = setTimeout(() => one.reject(notReady(this.device, [...this.#asked], seconds)), seconds * 1000);
    try {
      await one.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(one);
    }
  }

  /** Those that wait now are told why they need not. */
  refuse(error: unknown): void {
    for (const one of this.#waiting) one.reject(error);
  }

  /** The holder of the inputs asks this device, or (undefined) a peer has come: an answer may be due. */
  due(holder: string, token: number | undefined = this.#unanswered): void {
    this.#unanswered = token;
    if (token === undefined || !this.peers.complete) return;
    this.#unanswered = undefined;
    this.peers.tell(holder, { kind: 'ready', token });
  }
}
