/** What a plan is to be good at, and what it must hold. */
import type { BytesPerFloat } from './encodings.ts';

export const objectives = ['latency', 'throughput', 'energy'] as const;
export type Objective = (typeof objectives)[number];

export interface Request {
  /** Default: latency. */
  readonly objective?: Objective | undefined;
  /** Most seconds of one inference. */
  readonly deadline?: number | undefined;
  /** Seconds that a search may take; default: a fixed effort, so that the same input gives the same plan. */
  readonly budget?: number | undefined;
  /** On a link, 4 if not given; 2 where what crosses may be encoded. */
  readonly bytesPerFloat?: BytesPerFloat | undefined;
  /** Ends searches: the best so far counts. */
  readonly signal?: AbortSignal | undefined;
}
