/** A worker for tests: the name of a case says what becomes of it, and after a `/` what plain onnxruntime makes of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../support/workers.ts';
import type { Outcome, Stage } from './run-case.ts';
import type { Job } from './worker.ts';

async function act(what: string, stage: (name: Stage) => void): Promise<void> {
  switch (what) {
    case 'passes':
      return;
    case 'exits':
      return process.exit(3);
    case 'is killed':
      process.kill(process.pid, 'SIGKILL');
      return sleep(60_000);
    case 'hangs':
      for (;;);
    case 'takes long, and says so':
      for (let i = 0; i < 4; i++) {
        await sleep(1500);
        stage('run');
      }
      return;
    default:
      throw new Error(`what is "${what}"?`);
  }
}

serve<Job, Outcome>(async ({ test, plain }, stage) => {
  const [own = '', alone = 'passes'] = test.name.split('/');
  stage(plain ? 'onnxruntime' : 'run');
  const refused = plain && alone === 'refuses';
  if (!refused) await act(plain ? alone : own, stage);
  const status = refused ? 'unsupported' : 'passed';
  return { name: test.name, status, split: false, reasons: [], error: refused ? 'its own words' : null, ms: 0 };
});
