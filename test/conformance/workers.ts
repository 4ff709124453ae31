/** Spreads cases over worker processes; one that dies or hangs is replaced, and its case judged by what plain onnxruntime does. */
import { type Lost, spread } from '../support/workers.ts';
import type { Case } from './cases.ts';
import type { Options, Outcome, Stage } from './run-case.ts';
import type { Job } from './worker.ts';

/** What runs the cases, and how many seconds one stage of a case may take; the longest takes a few. */
const WORK = { script: new URL('worker.ts', import.meta.url), seconds: 120 };

/** `unsupported` if onnxruntime on its own kills the process too. */
function lost({ test }: Job, { stage, why, ms }: Lost): Outcome {
  const status = stage === ('onnxruntime' satisfies Stage) ? 'unsupported' : 'failed';
  return { name: test.name, status, split: false, reasons: [], error: `${stage || 'compile'}: ${why}`, ms };
}

/** Runs all cases; outcomes in the order of the cases. @param done told of each as it ends */
export async function runAll(
  cases: readonly Case[],
  options: Options,
  workers: number,
  done: (outcome: Outcome) => void,
  work = WORK,
): Promise<Outcome[]> {
  const gone = new Map<string, Job>();
  const outcomes = await spread<Job, Outcome>({
    ...work,
    jobs: cases.map((test) => ({ test, options })),
    workers,
    lost(job, how) {
      const outcome = lost(job, how);
      if (outcome.status === 'failed') gone.set(outcome.name, { ...job, plain: true });
      return outcome;
    },
    done: (outcome) => (gone.has(outcome.name) ? undefined : done(outcome)),
  });
  // A case that took its worker with it: where plain onnxruntime does not pass either, it says nothing about us.
  const jobs = [...gone.values()];
  const plain = await spread<Job, Outcome>({ ...work, jobs, workers, lost });
  const refused = new Map(
    plain.filter(({ status }) => status === 'unsupported').map((outcome) => [outcome.name, outcome]),
  );
  const judged = outcomes.map((outcome) => refused.get(outcome.name) ?? outcome);
  for (const outcome of judged) if (gone.has(outcome.name)) done(outcome);
  return judged;
}
