/** A process that runs cases, one at a time, as its parent names them. */
import type { Case } from './cases.ts';
import { type Options, type Outcome, runCase, type Stage } from './run-case.ts';

export interface Job {
  readonly test: Case;
  readonly options: Options;
}
export type Report = 'ready' | { readonly stage: Stage } | { readonly outcome: Outcome };

const report = (message: Report) => process.send!(message);

process.on('message', async ({ test, options }: Job) => {
  report({ outcome: await runCase(test, options, (stage) => report({ stage })) });
});
process.on('disconnect', () => process.exit());
report('ready');
