/** A process that makes attempts in a sandbox of its own, one at a time, as its parent asks. */
import { serve } from '../support/workers.ts';
import { type Attempt, attempt, type Job, Sandbox } from './attempt.ts';

const sandbox = new Sandbox();
process.on('exit', () => sandbox.remove());

serve<Job, Attempt>(({ seed }, stage) => attempt(sandbox, seed, stage));
