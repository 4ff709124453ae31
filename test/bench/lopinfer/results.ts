/** Tables beside the logs: what the authors' methods predicted and measured, and how long the link had which bandwidth. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CompileError } from '../../../compiler/error.ts';
import { describeIssues } from '../../../compiler/issues.ts';

const number = z.coerce.number();
/** Empty where nothing was noted. */
const maybe = z.union([z.literal('').transform(() => null), number]);
const result = z.object({
  model: z.string().min(1),
  environment: z.string().min(1),
  method: z.string().min(1),
  /** The mean of a run is of `all`. */
  bandwidth_MBps: z.union([z.literal('all'), number]),
  predicted_ms_mean: maybe,
  transferred_MB_mean: maybe,
  board_power_W: maybe.optional(),
});
const share = z.object({ environment: z.string().min(1), bandwidth_MBps: number, share_of_time: number });

/** Of one model, at one bandwidth. */
export interface Predicted {
  readonly environment: string;
  readonly method: string;
  /** 10^6 bytes per second. */
  readonly bandwidth: number;
  readonly ms: number;
  /** What an inference moved, in 10^6 bytes. */
  readonly moved: number;
}

/** Mean power of the robot's board over one method's run. */
export interface Power {
  readonly environment: string;
  readonly method: string;
  readonly watts: number;
}

export interface Results {
  readonly predicted: readonly Predicted[];
  readonly powers: readonly Power[];
}

/** Environment to bandwidth (10^6 bytes per second) to share of time. */
export type Distribution = ReadonlyMap<string, ReadonlyMap<number, number>>;

const tableError = (path: string, message: string, cause?: unknown): CompileError =>
  new CompileError('results-table', message, { at: [path], cause, hint: 'the tables are as in evidence/README.md' });

/** Rows of a CSV without quotes; what a short row leaves out is ''. */
function readTable<T>(path: string, row: z.ZodType<T>): T[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw tableError(path, 'cannot be read', cause);
  }
  const [head = [], ...lines] = text.split(/\r?\n/).flatMap((line) => (line.trim() ? [line.split(',')] : []));
  return lines.map((cells, i) => {
    const parsed = row.safeParse(
      Object.fromEntries(head.map((name, column) => [name.trim(), cells[column]?.trim() ?? ''])),
    );
    if (!parsed.success) throw tableError(`${path}:${i + 2}`, describeIssues(parsed.error));
    return parsed.data;
  });
}

/** @throws results-table if the model is not in it */
export function readResults(path: string, model: string): Results {
  const table = readTable(path, result);
  const rows = table.filter((row) => row.model === model);
  const others = [...new Set(table.map((row) => row.model))].join(', ');
  if (rows.length === 0) throw tableError(path, `no rows of ${model}, but of ${others || 'nothing'}`);
  const predicted: Predicted[] = [];
  const powers: Power[] = [];
  for (const { environment, method, bandwidth_MBps: bandwidth, predicted_ms_mean: ms, ...row } of rows) {
    const { transferred_MB_mean: moved, board_power_W: watts } = row;
    if (bandwidth === 'all') {
      if (typeof watts === 'number') powers.push({ environment, method, watts });
    } else if (ms !== null && moved !== null) predicted.push({ environment, method, bandwidth, ms, moved });
  }
  return { predicted, powers };
}

/** @throws results-table */
export function readDistribution(path: string): Distribution {
  const shares = new Map<string, Map<number, number>>();
  for (const { environment, bandwidth_MBps: bandwidth, share_of_time: part } of readTable(path, share)) {
    shares.set(environment, (shares.get(environment) ?? new Map<number, number>()).set(bandwidth, part));
  }
  return shares;
}

/** Mean over the time the link has a bandwidth; undefined values and their time are left out. */
export function meanOver(
  shares: ReadonlyMap<number, number>,
  value: (bandwidth: number) => number | undefined,
): number {
  let [sum, time] = [0, 0];
  for (const [bandwidth, part] of shares) {
    const here = value(bandwidth);
    if (here === undefined || !Number.isFinite(here)) continue;
    sum += here * part;
    time += part;
  }
  return sum / time;
}
