/** A process that runs cases, one at a time, as its parent names them. */
import { serve } from '../support/workers.ts';
import type { Case } from './cases.ts';
import { type Options, type Outcome, plainFault, runCase } from './run-case.ts';

export interface Job {
  readonly test: Case;
  readonly options: Options;
  /** Only whether plain onnxruntime passes is asked. */
  readonly plain?: boolean;
}

serve<Job, Outcome>(async ({ test, options, plain }, stage) => {
  if (!plain) return runCase(test, options, stage);
  stage('onnxruntime');
  const error = (await plainFault(test)) ?? null;
  return {
    name: test.name,
    status: error === null ? 'passed' : 'unsupported',
    split: false,
    reasons: [],
    error,
    ms: 0,
  };
});
