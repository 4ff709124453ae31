/** Flags that say what a plan is to be good at. */
import { type Command, Option } from 'commander';
import { type Measure, parseQuantity } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import { type Objective, objectives, type Request } from '../planning/request.ts';

export interface RequestFlags {
  readonly objective: Objective;
  readonly deadline?: number;
  readonly budget?: number;
}

/** A quantity above zero, for commander. @throws flag */
const quantity =
  (flag: string, measure: Measure) =>
  (text: string): number => {
    const value = parseQuantity(text, measure);
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
    const message = typeof value === 'string' ? `${flag}: ${value}` : `${flag} ${text}: more than zero is needed`;
    throw new CompileError('flag', message, { hint: `for example ${flag} "50 ms"` });
  };

/** Adds --objective, --deadline and --budget. */
export const withRequest = (command: Command): Command =>
  command
    .addOption(new Option('--objective <what>', 'what is to be best').choices(objectives).default('latency'))
    .option('--deadline <time>', 'most time of one inference, e.g. 50ms', quantity('--deadline', 'time'))
    .option('--budget <time>', 'time for searches, e.g. 5s (default: a fixed effort)', quantity('--budget', 'time'));

/** While `work` goes on, Ctrl-C ends its searches with the best so far; a second one ends the process. */
export async function interruptible<T>(flags: RequestFlags, work: (request: Request) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once('SIGINT', stop);
  try {
    const { objective, deadline, budget } = flags;
    return await work({ objective, deadline, budget, signal: controller.signal });
  } finally {
    process.removeListener('SIGINT', stop);
  }
}
