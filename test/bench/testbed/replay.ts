/** Bandwidth traces: what a link carries, and for how long. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Testbed } from './testbed.ts';

export interface Stretch {
  readonly seconds: number;
  /** Bytes per second. */
  readonly bandwidth: number;
}

/** Has a link follow a trace. Resolves at its end, or as soon as it is told to stop. */
export async function replay(
  testbed: Pick<Testbed, 'setBandwidth'>,
  link: number,
  trace: readonly Stretch[],
  stop?: AbortSignal,
): Promise<void> {
  let end = performance.now();
  for (const { seconds, bandwidth } of trace) {
    if (stop?.aborted) return;
    testbed.setBandwidth(link, bandwidth);
    // From the end of the last stretch, not from now: what timers come late does not add up.
    end += 1e3 * seconds;
    await sleep(Math.max(0, end - performance.now()), undefined, stop && { signal: stop }).catch((error) => {
      if (!stop?.aborted) throw error;
    });
  }
}
