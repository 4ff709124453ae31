/** Spreads cases over worker processes; one that dies or hangs fails its case and is replaced. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Case } from './cases.ts';
import type { Options, Outcome, Stage } from './run-case.ts';
import type { Job, Report } from './worker.ts';

/** Milliseconds; the longest case takes a few seconds. */
const DEADLINE = 120_000;

/** A worker that has loaded everything; rejects if it cannot. */
function start(): Promise<ChildProcess> {
  const worker = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    worker.once('message', () => {
      worker.removeAllListeners('exit');
      resolve(worker);
    });
    worker.once('exit', (code) => reject(new Error(`a worker ends with ${code} before it can begin`)));
  });
}

/** The case's outcome; `unsupported` if onnxruntime on its own kills the process too. */
function runIn(worker: ChildProcess, job: Job): Promise<Outcome> {
  return new Promise((resolve) => {
    let stage: Stage = 'compile';
    const began = performance.now();
    const settle = (outcome: Outcome) => {
      clearTimeout(deadline);
      worker.off('message', onMessage);
      worker.off('exit', onExit);
      resolve(outcome);
    };
    const die = (what: string) => {
      const status = stage === 'onnxruntime' ? 'unsupported' : 'failed';
      const ms = Math.round(performance.now() - began);
      settle({ name: job.test.name, status, split: false, reasons: [], error: `${stage}: ${what}`, ms });
    };
    const onMessage = (report: Exclude<Report, 'ready'>) => {
      if ('outcome' in report) settle(report.outcome);
      else stage = report.stage;
    };
    const onExit = (code: number | null, signal: string | null) => die(`the process ended with ${signal ?? code}`);
    const deadline = setTimeout(() => {
      worker.off('exit', onExit);
      worker.kill('SIGKILL');
      die(`no end within ${DEADLINE / 1000} s`);
    }, DEADLINE);
    worker.on('message', onMessage);
    worker.on('exit', onExit);
    worker.send(job);
  });
}

/** Runs all cases; outcomes in the order of the cases. @param done told of each as it ends */
export async function runAll(
  cases: readonly Case[],
  options: Options,
  jobs: number,
  done: (outcome: Outcome) => void,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const work = async () => {
    let worker = await start();
    for (let i = next++; i < cases.length; i = next++) {
      if (worker.exitCode !== null || worker.signalCode !== null || worker.killed) worker = await start();
      const outcome = await runIn(worker, { test: cases[i]!, options });
      outcomes[i] = outcome;
      done(outcome);
    }
    worker.disconnect();
  };
  await Promise.all(Array.from({ length: Math.min(jobs, cases.length) }, work));
  return outcomes;
}
