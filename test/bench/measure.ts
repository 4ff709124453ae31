/** What benches share: models in a temporary folder, runs that alternate, medians and spread, a table or JSON. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { table } from '../../compiler/cli/table.ts';

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

/** Milliseconds of each, taken in turn `rounds` times after one warm-up each, so that drift hits all alike. */
export async function alternate<K extends string>(
  runs: Readonly<Record<K, () => Promise<unknown>>>,
  rounds: number,
): Promise<Record<K, Summary>> {
  const names = Object.keys(runs) as K[];
  const times = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of names) {
      const begin = performance.now();
      await runs[name]();
      if (round >= 0) times[name].push(performance.now() - begin);
    }
  }
  return Object.fromEntries(names.map((name) => [name, summarise(times[name])])) as Record<K, Summary>;
}

export const milliseconds = ({ median, quartiles: [low, high] }: Summary): string =>
  `${median.toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;

/** Prints one JSON object with --json, else a table and what it means. */
export function report(rows: readonly Readonly<Record<string, string | number>>[], note: string): void {
  if (process.argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify({ rows, note })}\n`);
    return;
  }
  const head = Object.keys(rows[0]!);
  const text = (value: string | number | undefined): string =>
    typeof value === 'number' && !Number.isInteger(value) ? value.toFixed(2) : String(value);
  const body = rows.map((row) => head.map((name) => text(row[name])));
  process.stdout.write(`${table(head, body)}\n${note}\n`);
}

/** The number after a flag. */
export function flag(name: string, standard: number): number {
  const at = process.argv.indexOf(name);
  return at < 0 ? standard : Number(process.argv[at + 1]);
}
