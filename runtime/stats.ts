/** What a device has done since it was opened. */
import { Dropped } from './dropped.ts';
import { type Log, silent } from './log.ts';
import type { Counters } from './transport.ts';

export interface DeviceStats extends Counters {
  readonly device: string;
  /** Of finished inferences: from start to end of this device's share, the last 4096. */
  readonly latencyMs: readonly number[];
  /** Waited for tensors in all. */
  readonly waitedMs: number;
  /** By segment, in the order of device.json. */
  readonly segments: readonly SegmentStats[];
  /** On the device that holds the inputs; on others the plan of the latest inference. */
  readonly plan: string;
  /** Finished inferences by plan. */
  readonly plans: Readonly<Record<string, number>>;
  /** Inferences that were repeated on the plan that needs no peer; 0 on devices that do not hold the inputs. */
  readonly repeated: number;
  /** Bytes per second of the slowest link, estimated; null where nothing large has crossed. */
  readonly bandwidth: number | null;
  /** Inferences of which the device holds something now: begun and not ended, or announced by a tensor that came early. */
  readonly inFlight: number;
  /** The process's largest resident memory; null where devices share a process. */
  readonly peakBytes: number | null;
  /** The process's resident memory now; null where devices share a process. */
  readonly residentBytes: number | null;
}

export interface SegmentStats {
  readonly file: string;
  readonly runs: number;
  /** Of all runs. */
  readonly ms: number;
}

const KEPT_LATENCIES = 4096;

/** Collects {@link DeviceStats}. */
export class Recorder {
  readonly counters: Counters = { bytesSent: 0, bytesReceived: 0, framesDropped: 0 };
  readonly dropped: Dropped;
  readonly #latencies: number[] = [];
  readonly #segments: { file: string; runs: number; ms: number }[];
  readonly #plans = new Map<string, number>();
  #repeated = 0;
  #waitedMs = 0;
  #plan = '';
  #computed = Number.NEGATIVE_INFINITY;

  constructor(
    files: readonly string[],
    log: Log = silent,
    private readonly onInference: (ms: number) => void = () => {},
  ) {
    this.dropped = new Dropped(this.counters, log);
    this.#segments = files.map((file) => ({ file, runs: 0, ms: 0 }));
  }

  segment(index: number, ms: number): void {
    this.#computed = performance.now();
    const segment = this.#segments[index];
    if (!segment) return;
    segment.runs++;
    segment.ms += ms;
  }

  /** ms since the device last computed, for which nothing that came had to wait until it was seen. */
  get idleMs(): number {
    return performance.now() - this.#computed;
  }

  waited(ms: number): void {
    this.#waitedMs += ms;
  }

  begins(plan: string): void {
    this.#plan = plan;
  }

  repeats(): void {
    this.#repeated++;
  }

  inference(ms: number, plan: string): void {
    this.#plans.set(plan, (this.#plans.get(plan) ?? 0) + 1);
    if (this.#latencies.length === KEPT_LATENCIES) this.#latencies.shift();
    this.#latencies.push(ms);
    this.onInference(ms);
  }

  stats(device: string, inFlight: number, ownProcess: boolean, bandwidth: number | null = null): DeviceStats {
    return {
      device,
      ...this.counters,
      latencyMs: [...this.#latencies],
      waitedMs: this.#waitedMs,
      segments: this.#segments.map((segment) => ({ ...segment })),
      plan: this.#plan,
      plans: Object.fromEntries(this.#plans),
      repeated: this.#repeated,
      bandwidth,
      inFlight,
      peakBytes: ownProcess ? process.resourceUsage().maxRSS * 1024 : null,
      residentBytes: ownProcess ? process.memoryUsage.rss() : null,
    };
  }
}

/** null of nothing. @param q 0.5 is the median */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? null;
}
