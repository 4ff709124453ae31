/** Jobs spread over worker processes, each at one at a time; a worker that dies or hangs loses its job and is replaced. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

type Report<Outcome> = 'ready' | { readonly stage: string } | { readonly outcome: Outcome };

/** What became of a job whose worker is gone. */
export interface Lost {
  /** What the worker said last that it does; '' if nothing. */
  readonly stage: string;
  readonly why: string;
  readonly hung: boolean;
  readonly ms: number;
}

export interface Work<Job extends object, Outcome> {
  /** Calls `serve`. */
  readonly script: URL;
  readonly jobs: readonly Job[];
  readonly workers: number;
  /** Seconds that one stage may take. */
  readonly seconds: number;
  readonly lost: (job: Job, how: Lost) => Outcome;
  /** Told of each outcome as it comes. */
  readonly done?: (outcome: Outcome) => void;
}

/** What a worker's script is: answers jobs, naming the stages as it goes. */
export function serve<Job extends object, Outcome>(
  answer: (job: Job, stage: (name: string) => void) => Promise<Outcome>,
): void {
  const report = (message: Report<Outcome>) => process.send!(message);
  process.on('message', async (job: Job) => {
    report({ outcome: await answer(job, (stage) => report({ stage })) });
  });
  process.on('disconnect', () => process.exit());
  report('ready');
}

/** A worker that has loaded everything; rejects if it cannot. */
function start(script: URL): Promise<ChildProcess> {
  // Found from wherever a worker goes.
  const execArgv = ['--import', import.meta.resolve('tsx')];
  const worker = fork(fileURLToPath(script), { stdio: 'inherit', execArgv, serialization: 'advanced' });
  return new Promise((resolve, reject) => {
    worker.once('message', () => {
      worker.removeAllListeners('exit');
      resolve(worker);
    });
    worker.once('exit', (code) => reject(new Error(`a worker ends with ${code} before it can begin`)));
  });
}

function runIn<Job extends object, Outcome>(
  worker: ChildProcess,
  job: Job,
  { seconds, lost }: Work<Job, Outcome>,
): Promise<Outcome> {
  return new Promise((resolve) => {
    let stage = '';
    let hung = false;
    const began = performance.now();
    const settle = (outcome: Outcome) => {
      clearTimeout(deadline);
      worker.off('message', onMessage).off('exit', onExit);
      resolve(outcome);
    };
    const onMessage = (report: Exclude<Report<Outcome>, 'ready'>) => {
      if ('outcome' in report) return settle(report.outcome);
      stage = report.stage;
      deadline.refresh();
    };
    const onExit = (code: number | null, signal: string | null) => {
      const why = hung ? `no end within ${seconds} s` : `the process ended with ${signal ?? code}`;
      settle(lost(job, { stage, why, hung, ms: Math.round(performance.now() - began) }));
    };
    const deadline = setTimeout(() => {
      hung = true;
      worker.kill('SIGKILL');
    }, seconds * 1000);
    worker.on('message', onMessage).on('exit', onExit);
    worker.send(job);
  });
}

/** Outcomes in the order of the jobs. */
export async function spread<Job extends object, Outcome>(work: Work<Job, Outcome>): Promise<Outcome[]> {
  const { script, jobs, done } = work;
  const outcomes: Outcome[] = [];
  let next = 0;
  const serveAll = async () => {
    let worker = await start(script);
    for (let i = next++; i < jobs.length; i = next++) {
      if (!worker.connected) worker = await start(script);
      const outcome = await runIn(worker, jobs[i]!, work);
      outcomes[i] = outcome;
      done?.(outcome);
    }
    if (worker.connected) worker.disconnect();
  };
  await Promise.all(Array.from({ length: Math.min(work.workers, jobs.length) }, serveAll));
  return outcomes;
}
