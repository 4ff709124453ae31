/** What benches share: a temporary folder, blocks of runs in turn, medians and spread, tables or JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../compiler/cli/table.ts';

/** What a long bench is at, on stderr. */
export const say = (what: string): void =>
  void process.stderr.write(`${(performance.now() / 1e3).toFixed(0)} s: ${what}\n`);

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shardonnx-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Summary {
  readonly median: number;
  /** Half of the runs lie between these. */
  readonly quartiles: readonly [number, number];
}

export function summarise(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { median: at(0.5), quartiles: [at(0.25), at(0.75)] };
}

/** Runs something back to back for so many seconds. Milliseconds of each time. */
export type Block = (seconds: number) => Promise<readonly number[]>;

/** A block of calls in this process; at least one. */
export const backToBack =
  (call: () => Promise<unknown>): Block =>
  async (seconds) => {
    const times: number[] = [];
    const end = performance.now() + 1e3 * seconds;
    for (let begin = performance.now(); times.length === 0 || begin < end; begin = performance.now()) {
      await call();
      times.push(performance.now() - begin);
    }
    return times;
  };

/** In each round, of each block: the median, ms. */
export type Rounds<K extends string> = readonly Readonly<Record<K, number>>[];

/** Seconds: V8 compiles a device's hot functions beside its inferences, on its own core if it has but one, for a hundred of them. */
const WARM_UP = 8;

/**
 * Blocks in turn, `rounds` times after a round of warm-up, every other round backwards, so that drift hits all alike. Single runs
 * in turn would find the caches as another left them, and the processor's clock low.
 */
export async function inTurn<K extends string>(
  blocks: Readonly<Record<K, Block>>,
  rounds: number,
  seconds: number,
): Promise<Rounds<K>> {
  const names = Object.keys(blocks) as K[];
  const all: Record<K, number>[] = [];
  for (let round = -1; round < rounds; round++) {
    const medians: Partial<Record<K, number>> = {};
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const times = await blocks[name](round < 0 ? Math.max(WARM_UP, seconds) : seconds);
      medians[name] = summarise(times).median;
    }
    if (round >= 0) all.push(medians as Record<K, number>);
  }
  return all;
}

/** What was compared in each round, over the rounds: a ratio of medians would have the drift between rounds in it. */
export const over = <K extends string>(rounds: Rounds<K>, value: (round: Readonly<Record<K, number>>) => number) =>
  summarise(rounds.map(value));

export const spread = ({ median, quartiles: [low, high] }: Summary, digits = 1): string =>
  `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;

type Row = Readonly<Record<string, string | number>>;

/** Prints one JSON object with --json, else a table of rows that say the same things, and what it means. */
export function report(rows: readonly Row[], note: string): void {
  if (process.argv.includes('--json')) process.stdout.write(`${JSON.stringify({ rows, note })}\n`);
  else process.stdout.write(`${tables(rows)}\n${note}\n`);
}

/** One for each run of rows of the same columns. */
function tables(rows: readonly Row[]): string {
  const head = Object.keys(rows[0] ?? {});
  const others = rows.findIndex((row) => Object.keys(row).join() !== head.join());
  const text = (value: string | number | undefined): string =>
    typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value);
  const own = others < 0 ? rows : rows.slice(0, others);
  const first = table(
    head,
    own.map((row) => head.map((name) => text(row[name]))),
  );
  return others < 0 ? first : `${first}\n\n${tables(rows.slice(others))}`;
}

/** The number after a flag. */
export function flag(name: string, standard: number): number {
  const at = process.argv.indexOf(name);
  return at < 0 ? standard : Number(process.argv[at + 1]);
}
