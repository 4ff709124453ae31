/** What a device knows of the bandwidth of its links: from tensors that come, and from probes where none do. */
import { bandwidthOf, Estimate, type Sample } from './bandwidth.ts';
import type { ProbeFrame, RateFrame } from './frame.ts';
import { now } from './ipc.ts';
import type { Peers } from './peers.ts';

/** ms; a link of which nothing was heard for so long is probed. */
const SILENT = 1000;
/** Seconds that a probe is to take, within these bytes. */
const PROBE = { seconds: 0.02, least: 8 * 1024, most: 32 * 1024 };

/** Bytes. */
export const LARGEST_PROBE = PROBE.most + 8;

export class Links {
  readonly #estimates = new Map<string, Estimate>();
  /** Of the other direction, as peers have told. */
  readonly #told = new Map<string, Sample>();
  /** ms at which something was last heard of a link. */
  readonly #heard = new Map<string, number>();
  /** Links with a probe under way: on a slow one it takes long, and more would only queue. */
  readonly #probing = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly peers: Peers) {}

  /** Probes links that are not used. */
  watch(): void {
    this.#timer = setInterval(() => this.#probe(), SILENT).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** @param sent undefined where devices share a process @param awaited see {@link Estimate.took} */
  took(from: string, bytes: number, sent: number | undefined, awaited: boolean): void {
    if (sent !== undefined) this.#of(from).took(bytes, sent, now(), awaited);
  }

  probed(from: string, { bytes, sent }: ProbeFrame, idle: boolean): void {
    this.took(from, bytes, sent, idle);
    if (bytes > 0) this.report(from, true);
  }

  /** Tells a peer how fast what it sends comes. @param asked also where that is not known */
  report(to: string, asked = false): void {
    const sample = this.#of(to).sample ?? (asked ? { bytes: 0, seconds: 0 } : null);
    if (sample) this.peers.tell(to, { kind: 'rate', sent: now(), ...sample });
  }

  told(from: string, { sent, bytes, seconds }: RateFrame): void {
    this.took(from, 0, sent, true);
    this.#probing.delete(from);
    if (!(bytes > 0 && seconds > 0)) return;
    this.#told.set(from, { bytes, seconds });
    this.#heard.set(from, performance.now());
  }

  /** What was known of a link that is gone says nothing of the next. */
  forget(peer: string): void {
    this.#estimates.delete(peer);
    this.#told.delete(peer);
    this.#probing.delete(peer);
  }

  /** Bytes per second, of the slowest link; null where none is known. */
  get bandwidth(): number | null {
    const each = this.peers.names.map((peer) => bandwidthOf([this.#of(peer).sample, this.#told.get(peer) ?? null]));
    const known = each.filter((one) => one !== null);
    return known.length > 0 ? Math.min(...known) : null;
  }

  #of(peer: string): Estimate {
    const estimate = this.#estimates.get(peer) ?? new Estimate();
    this.#estimates.set(peer, estimate);
    return estimate;
  }

  #probe(): void {
    const bytes = Math.min(PROBE.most, Math.max(PROBE.least, Math.round((this.bandwidth ?? 0) * PROBE.seconds)));
    for (const peer of this.peers.names) {
      if (this.#probing.has(peer) || performance.now() - (this.#heard.get(peer) ?? 0) < SILENT) continue;
      if (!this.peers.present()[peer]) continue;
      this.#probing.add(peer);
      // The empty one tells the latency.
      for (const size of [0, bytes]) this.peers.tell(peer, { kind: 'probe', bytes: size, sent: now() });
    }
  }
}
