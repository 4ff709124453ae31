/** A process that runs cases, one at a time, as its parent names them. */
import { serve } from '../support/workers.ts';
import type { Case } from './cases.ts';
import { type Options, type Outcome, runCase } from './run-case.ts';

export interface Job {
  readonly test: Case;
  readonly options: Options;
}

serve<Job, Outcome>(({ test, options }, stage) => runCase(test, options, stage));
