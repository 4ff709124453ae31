/** What a device knows of the bandwidth of its links: from tensors that come, and from probes where none do. */
import { setImmediate as turn } from 'node:timers/promises';
import { Arrivals, bandwidthOf, Recent, type Sample } from './bandwidth.ts';
import type { ProbeFrame, RateFrame } from './frame.ts';
import { now } from './ipc.ts';
import type { Peers } from './peers.ts';
import { UnderWay } from './under-way.ts';

/** ms; a link of which nothing was heard for so long is probed. */
const SILENT = 1000;
/** ms; the same where an inference begins that does not use it: the next one might. */
const UNUSED = 100;
/** From one probe to the next at least so many times as long as it took: probes are to be no load. */
const REST = 3;
/**
 * Seconds that a probe is to take, and bytes of each of its frames. Two: what was saved up while a link was idle lets the beginning
 * pass at once, and how far apart two frames come that were sent together tells how fast what follows is.
 */
const PROBE = { seconds: 0.02, frames: 2, least: 16 * 1024, most: 32 * 1024 };
const NOTHING: Sample = { bytes: 0, seconds: 0 };

/** Bytes. */
export const LARGEST_PROBE = PROBE.most + 8;

/** One link, as its end that knows about both directions sees it. */
interface Link {
  readonly arrivals: Arrivals;
  /** From the peer and to it. */
  readonly directions: readonly [from: Recent, to: Recent];
  readonly underWay: UnderWay;
  /** Frames of a probe that are under way: on a slow link they take long, and more would only queue. */
  probing: number;
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
    if (from === this.chooser) this.#report(from, sample, sent);
    this.#of(from).directions[0].add(sample, this.clock());
  }

  probed(from: string, { bytes, sent }: ProbeFrame, awaited: boolean): void {
    const sample = this.#of(from).arrivals.took(bytes, sent, this.clock(), awaited);
    if (bytes > 0) this.#report(from, sample ?? NOTHING, sent);
    if (sample) this.#of(from).directions[0].add(sample, this.clock());
  }

  /** How long took what this device has sent. */
  told(from: string, { sent, bytes, seconds, until }: RateFrame, awaited: boolean): void {
    const link = this.#of(from);
    const at = this.clock();
    link.arrivals.took(0, sent, at, awaited);
    if (until === link.probed) {
      link.rest += 1e3 * REST * seconds;
      link.probing--;
    }
    link.underWay.came(until, { bytes, seconds }, at);
    if (bytes > 0 && seconds > 0) link.directions[1].add({ bytes, seconds }, at);
  }

  /** This device has sent a tensor. */
  sent(to: string, inference: number, bytes: number, sent: number): void {
    // Peers tell nobody else what comes.
    if (this.#timer) this.#of(to).underWay.sent(inference, bytes, sent);
  }

  /** An inference of these devices has its outputs. */
  finished(inference: number, devices: readonly string[]): void {
    for (const device of devices) this.#links.get(device)?.underWay.finished(inference);
  }

  /** Whether links to these devices still carry what was sent for inferences that nobody waits for any more. */
  areBehind(devices: readonly string[], waits: (inference: number) => boolean): boolean {
    return devices.some((device) => this.#links.get(device)?.underWay.isBehind(waits));
  }

  /** ms until what was sent to these devices of this inference and earlier ones should have come, negative: since; null: not known. */
  untilThere(inference: number, devices: readonly string[]): number | null {
    const due = devices.map((device) => this.#links.get(device)?.underWay.due(inference) ?? Number.NEGATIVE_INFINITY);
    const last = Math.max(...due);
    return last === Number.NEGATIVE_INFINITY ? null : last - this.clock();
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
      link = {
        arrivals: new Arrivals(),
        directions: [new Recent(), new Recent()],
        underWay: new UnderWay(),
        probing: 0,
        probed: 0,
        rest: 0,
      };
      this.#links.set(peer, link);
    }
    return link;
  }

  #report(to: string, sample: Sample, until: number): void {
    this.peers.tell(to, { kind: 'rate', sent: this.clock(), ...sample, until });
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
    if (link.probing > 0 || at - link.probed < link.rest) return;
    link.probing = PROBE.frames;
    link.probed = at;
    link.rest = 0;
    const known = bandwidthOf(link.directions) ?? 0;
    const bytes = Math.min(PROBE.most, Math.max(PROBE.least, Math.round((known * PROBE.seconds) / PROBE.frames)));
    // The empty one tells the latency.
    for (const size of [0, ...Array<number>(PROBE.frames).fill(bytes)]) {
      this.peers.tell(peer, { kind: 'probe', bytes: size, sent: at });
    }
  }
}
