/** Flags that say what a plan is to be good at. */
import { type Command, Option } from 'commander';
import { parseQuantity } from '../cluster/units.ts';
import { type Objective, objectives, type Request } from '../planning/request.ts';
import { flagError } from './flags.ts';

export interface RequestFlags {
  readonly objective: Objective;
  readonly deadline?: number;
  readonly budget?: number;
}

/** Seconds of a day: more is a typing error. */
const MOST_SECONDS = 86_400;

/** Seconds above zero, for commander. @throws flag */
const time =
  (flag: string) =>
  (text: string): number => {
    const value = parseQuantity(text, 'time');
    if (typeof value === 'number' && value > 0 && value <= MOST_SECONDS) return value;
    const why =
      typeof value === 'string' ? value : value > 0 ? `the most is ${MOST_SECONDS} s` : 'more than zero is needed';
    throw flagError(`${flag} ${text}: ${why}`, `for example ${flag} "50 ms"`);
  };

/** Adds --objective, --deadline and --budget. */
export const withRequest = (command: Command): Command =>
  command
    .addOption(new Option('--objective <what>', 'what is to be best').choices(objectives).default('latency'))
    .option('--deadline <time>', 'most time of one inference, e.g. 50ms', time('--deadline'))
    .option('--budget <time>', 'time for searches, e.g. 5s (default: a fixed effort)', time('--budget'));

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
