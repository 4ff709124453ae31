/** A link's bandwidth over time, drawn from how often a robot's link had which. */
import type { Stretch } from '../testbed/replay.ts';

const MEGABYTE = 1e6;
/** Bytes per second of what the log has as 0 MB/s: less than one. */
const SLOWEST = 0.5 * MEGABYTE;
/** Shortest and longest stay at a bandwidth, as shares of the mean. */
const STAY = [0.4, 1.6] as const;

/**
 * Bandwidths as often as the link had them, in a drawn order: one from each of as many equally probable ranges.
 * @param shares of time, by 10^6 bytes per second
 * @param seconds of all
 * @param dwell seconds that a bandwidth lasts, in the mean
 * @param draw uniform in [0, 1)
 */
export function drawnTrace(
  shares: ReadonlyMap<number, number>,
  seconds: number,
  dwell: number,
  draw: () => number,
): Stretch[] {
  const count = Math.max(1, Math.round(seconds / dwell));
  const [least, most] = STAY;
  return Array.from({ length: count }, (_, i) => ({
    bandwidth: Math.max(SLOWEST, quantile(shares, (i + draw()) / count) * MEGABYTE),
    seconds: dwell * (least + (most - least) * draw()),
    order: draw(),
  })).sort((a, b) => a.order - b.order);
}

/** The value that the link was below for such a share of the time. */
function quantile(shares: ReadonlyMap<number, number>, q: number): number {
  const sorted = [...shares].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, share]) => sum + share, 0);
  let below = 0;
  for (const [value, share] of sorted) {
    below += share;
    if (q * total < below) return value;
  }
  return sorted.at(-1)?.[0] ?? 0;
}

/** In pieces of about so many seconds. */
export function pieces(trace: readonly Stretch[], seconds: number): Stretch[][] {
  const all: Stretch[][] = [];
  let [length, piece]: [number, Stretch[]] = [0, []];
  for (const stretch of trace) {
    piece.push(stretch);
    length += stretch.seconds;
    if (length < seconds) continue;
    all.push(piece);
    [length, piece] = [0, []];
  }
  return piece.length > 0 ? [...all, piece] : all;
}
