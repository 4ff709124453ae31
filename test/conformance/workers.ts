/** Spreads cases over worker processes; one that dies or hangs fails its case and is replaced. */
import { type Lost, spread } from '../support/workers.ts';
import type { Case } from './cases.ts';
import type { Options, Outcome, Stage } from './run-case.ts';
import type { Job } from './worker.ts';

/** Of each stage of a case; the longest case takes a few. */
const SECONDS = 120;

/** `unsupported` if onnxruntime on its own kills the process too. */
function lost({ test }: Job, { stage, why, ms }: Lost): Outcome {
  const status = stage === ('onnxruntime' satisfies Stage) ? 'unsupported' : 'failed';
  return { name: test.name, status, split: false, reasons: [], error: `${stage || 'compile'}: ${why}`, ms };
}

/** Runs all cases; outcomes in the order of the cases. @param done told of each as it ends */
export const runAll = (
  cases: readonly Case[],
  options: Options,
  workers: number,
  done: (outcome: Outcome) => void,
): Promise<Outcome[]> =>
  spread<Job, Outcome>({
    script: new URL('worker.ts', import.meta.url),
    jobs: cases.map((test) => ({ test, options })),
    workers,
    seconds: SECONDS,
    lost,
    done,
  });
