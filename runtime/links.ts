/** What a device knows of the bandwidth of its links: from tensors that come, and from probes where none do. */
import { setImmediate as turn } from 'node:timers/promises';
import { Arrivals, bandwidthOf, Recent, type Sample } from './bandwidth.ts';
import type { ProbeFrame, RateFrame } from './frame.ts';
import { now } from './ipc.ts';
import type { Peers } from './peers.ts';

/** ms; a link of which nothing was heard for so long is probed. */
const SILENT = 1000;
/** ms; the same where an inference begins that does not use it: the next one might. */
const UNUSED = 100;
/** From one probe to the next at least so many times as long as it took: probes are to be no load. */
const REST = 5;
/** Seconds that a probe is to take, within these bytes. */
const PROBE = { seconds: 0.02, least: 8 * 1024, most: 64 * 1024 };

/** Bytes. */
export const LARGEST_PROBE = PROBE.most + 8;

/** One link, as its end that knows about both directions sees it. */
interface Link {
  readonly arrivals: Arrivals;
  /** From the peer and to it. */
  readonly directions: readonly [from: Recent, to: Recent];
  /** A probe is under way: on a slow link it takes long, and more would only queue. */
  probing: boolean;
  /** ms at which the last one was sent. */
  probed: number;
  /** ms from then until the next one may be. */
  rest: number;
}

export class Links {
  readonly #links = new Map<string, Link>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly peers: Peers,
    /** The device that chooses plans and is told how fast what it sends comes; null: this one, or there is no choice. */
    private readonly chooser: string | null,
    private readonly clock: () => number = now,
  ) {}

  /** Probes links that are not used. */
  watch(): void {
    this.#timer = setInterval(() => this.#ask(this.peers.names), SILENT).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** @param sent undefined where devices share a process @param awaited see {@link Arrivals.took} */
  took(from: string, bytes: number, sent: number | undefined, awaited: boolean): void {
    if (sent === undefined) return;
    const sample = this.#of(from).arrivals.took(bytes, sent, this.clock(), awaited);
    if (!sample) return;
    // At once: the next plan may be chosen as soon as this inference's last tensor is there.
    if (from === this.chooser) this.#report(from, sample);
    this.#of(from).directions[0].add(sample, this.clock());
  }

  probed(from: string, { bytes, sent }: ProbeFrame, awaited: boolean): void {
    const sample = this.#of(from).arrivals.took(bytes, sent, this.clock(), awaited);
    if (bytes > 0) this.#report(from, sample ?? { bytes: 0, seconds: 0 });
    if (sample) this.#of(from).directions[0].add(sample, this.clock());
  }

  /** How long took what this device has sent. */
  told(from: string, { sent, bytes, seconds }: RateFrame, awaited: boolean): void {
    const link = this.#of(from);
    const at = this.clock();
    link.arrivals.took(0, sent, at, awaited);
    if (link.probing) link.rest = 1e3 * REST * seconds;
    link.probing = false;
    if (bytes > 0 && seconds > 0) link.directions[1].add({ bytes, seconds }, at);
  }

  /** What was known of a link that is gone says nothing of the next. */
  forget(peer: string): void {
    this.#links.delete(peer);
  }

  /** Resolves when what peers have said by now is known here, also if this device has just computed for long. */
  async news(): Promise<void> {
    if (this.#timer) await turn();
  }

  /** An inference of these devices begins, here too. */
  begins(devices: readonly string[]): void {
    for (const { directions } of this.#links.values()) for (const direction of directions) direction.begins();
    if (this.#timer) this.#ask(devices);
  }

  /** Bytes per second, of the slowest link; null where none is known. */
  get bandwidth(): number | null {
    const each = this.peers.names.map((peer) => bandwidthOf(this.#of(peer).directions));
    const known = each.filter((one) => one !== null);
    return known.length > 0 ? Math.min(...known) : null;
  }

  #of(peer: string): Link {
    let link = this.#links.get(peer);
    if (!link) {
      link = { arrivals: new Arrivals(), directions: [new Recent(), new Recent()], probing: false, probed: 0, rest: 0 };
      this.#links.set(peer, link);
    }
    return link;
  }

  #report(to: string, sample: Sample): void {
    this.peers.tell(to, { kind: 'rate', sent: this.clock(), ...sample });
  }

  /** Probes links that these devices do not use, and those that their tensors tell nothing of. */
  #ask(devices: readonly string[]): void {
    for (const peer of this.peers.names) {
      const { directions, probed } = this.#of(peer);
      const heard = Math.max(...directions.map(({ at }) => at));
      const silent = devices.includes(peer) ? this.clock() - heard >= SILENT : this.clock() - probed >= UNUSED;
      if (silent && this.peers.present()[peer]) this.#probe(peer);
    }
  }

  #probe(peer: string): void {
    const link = this.#of(peer);
    const at = this.clock();
    if (link.probing || at - link.probed < link.rest) return;
    link.probing = true;
    link.probed = at;
    const known = bandwidthOf(link.directions) ?? 0;
    const bytes = Math.min(PROBE.most, Math.max(PROBE.least, Math.round(known * PROBE.seconds)));
    // The empty one tells the latency.
    for (const size of [0, bytes]) this.peers.tell(peer, { kind: 'probe', bytes: size, sent: at });
  }
}
