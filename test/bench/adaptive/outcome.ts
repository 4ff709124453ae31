/** What inferences over a changing link come to: each moment counts, however many inferences there were in it. */
import type { Inference } from '../feeder.ts';

/** A time with one bandwidth. */
export interface Lap {
  /** Bytes per second. */
  readonly bandwidth: number;
  /** ms since the epoch. */
  readonly from: number;
  readonly to: number;
}

/** What was measured of one contender. */
export interface Played {
  readonly laps: readonly Lap[];
  readonly inferences: readonly Inference[];
}

/** A latency and the ms of the trace for which it stands. */
export interface Weighted {
  readonly ms: number;
  readonly weight: number;
}

/**
 * The inferences that began in a lap share its time. Where none did, that under way had all of it.
 */
export function weighted({ laps, inferences }: Played): Weighted[] {
  return laps.flatMap(({ from, to }) => {
    const begun = inferences.filter(({ began }) => began >= from && began < to);
    const last = inferences.findLast(({ began }) => began < from);
    const own = begun.length > 0 || !last ? begun : [last];
    return own.map(({ ms }) => ({ ms, weight: (to - from) / own.length }));
  });
}

export function mean(values: readonly Weighted[]): number {
  const total = values.reduce((sum, { weight }) => sum + weight, 0);
  return values.reduce((sum, { ms, weight }) => sum + ms * weight, 0) / total;
}

/** @param q 0.5: half of the time latencies are below */
export function quantile(values: readonly Weighted[], q: number): number {
  const sorted = values.toSorted((a, b) => a.ms - b.ms);
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  let below = 0;
  for (const { ms, weight } of sorted) {
    below += weight;
    if (below >= q * total) return ms;
  }
  return Number.NaN;
}

/** By bandwidth: mean ms of the inferences during which it did not change. */
export function steady({ laps, inferences }: Played): Map<number, number> {
  const all = new Map<number, number[]>();
  for (const { bandwidth, from, to } of laps) {
    const own = inferences.filter(({ began, ms }) => began >= from && began + ms < to);
    if (own.length > 0) all.set(bandwidth, [...(all.get(bandwidth) ?? []), ...own.map(({ ms }) => ms)]);
  }
  return new Map([...all].map(([bandwidth, ms]) => [bandwidth, ms.reduce((a, b) => a + b, 0) / ms.length]));
}

/** What would come of always having the plan that is best at the bandwidth of the moment. */
export function oracle(laps: readonly Lap[], fixed: readonly Played[]): Weighted[] {
  const tables = fixed.map(steady);
  return laps.flatMap(({ bandwidth, from, to }) => {
    const known = tables.flatMap((table) => table.get(bandwidth) ?? []);
    return known.length > 0 ? [{ ms: Math.min(...known), weight: to - from }] : [];
  });
}

/** How often the next inference had another plan. */
export const switches = (inferences: readonly Inference[]): number =>
  inferences.filter(({ plan }, i) => i > 0 && plan !== inferences[i - 1]?.plan).length;

/** Of several parts of a trace. */
export const together = (parts: readonly Played[]): Played => ({
  laps: parts.flatMap(({ laps }) => laps),
  inferences: parts.flatMap(({ inferences }) => inferences),
});
