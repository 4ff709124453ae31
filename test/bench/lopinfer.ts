/**
 * Replays logged costs of a robot and a server over the bandwidths their link had: local, offload, best layer cut, and ours.
 * `--operators F.json --results F.csv` for another log, `--rows` for every bandwidth, `--goodput G` for another link, `--json`.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CompileError } from '../../compiler/error.ts';
import { loadSolver } from '../../compiler/planning/placement/linear-program.ts';
import { baselines, type Method, oursOf } from './lopinfer/methods.ts';
import { ours } from './lopinfer/ours.ts';
import { checkTable, linkTable, rowTable, summaryTable } from './lopinfer/print.ts';
import { evaluate, type Replay, type Row, readReplay } from './lopinfer/replay.ts';
import { promises, summarise } from './lopinfer/summary.ts';

const evidence = fileURLToPath(new URL('../../../shared/evidence/lopinfer', import.meta.url));
const methods: readonly Method[] = [...baselines, ...oursOf(ours())];

const { values } = parseArgs({
  options: {
    operators: { type: 'string', multiple: true },
    results: { type: 'string' },
    goodput: { type: 'string' },
    rows: { type: 'boolean' },
    json: { type: 'boolean' },
  },
});

/** The logs asked for, or all of the evidence. */
function logs(): string[] {
  if (values.operators) return values.operators;
  if (!existsSync(evidence)) return [];
  const names = readdirSync(evidence).filter((name) => name.endsWith('.operators.json'));
  return names.sort().map((name) => join(evidence, name));
}

function goodputFlag(): number | undefined {
  if (values.goodput === undefined) return undefined;
  const goodput = Number(values.goodput);
  if (goodput > 0 && goodput <= 1) return goodput;
  throw new CompileError('option', `--goodput ${values.goodput} is no share`, {
    at: ['bench:lopinfer'],
    hint: 'give 0.9',
  });
}

interface Done {
  readonly replay: Replay;
  readonly rows: readonly Row[];
}

/** Infinite and unknown figures are null. */
function asJson({ replay, rows }: Done): object {
  const { flow, zoo, payload, goodput, power, fits, checks } = replay;
  return {
    model: flow.model,
    zoo,
    payload,
    goodput,
    power,
    fits,
    checks,
    rows: rows.map(({ bandwidth, outcomes }) => ({ bandwidth, outcomes: Object.fromEntries(outcomes) })),
    summary: summarise(replay, rows, methods),
    promises: promises(replay, rows, methods),
  };
}

function print(done: readonly Done[]): void {
  const replays = done.map(({ replay }) => replay);
  console.log(linkTable(replays));
  console.log(checkTable(replays));
  for (const { replay, rows } of done) {
    if (values.rows) console.log(rowTable(replay, rows, methods));
    console.log(summaryTable(replay, summarise(replay, rows, methods)));
  }
  for (const { promise, kept, of, broken } of done.flatMap(({ replay, rows }) => promises(replay, rows, methods))) {
    console.log(`${promise}: ${kept} of ${of}${broken.length > 0 ? `; not: ${broken.join('; ')}` : ''}`);
  }
}

async function main(): Promise<void> {
  await loadSolver();
  const goodput = goodputFlag();
  const done: Done[] = [];
  for (const operators of logs()) {
    const results = values.results ?? join(evidence, 'results.csv');
    const replay = await readReplay({ operators, results, evidence, goodput });
    const rows = await evaluate(replay, methods, (at, of) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${replay.flow.model} ${at}/${of} ${at === of ? '\n' : ''}`);
    });
    done.push({ replay, rows });
  }
  if (done.length === 0) console.log(`skipped: no logs in ../shared/evidence/lopinfer and none given with --operators`);
  else if (values.json) console.log(JSON.stringify({ models: done.map(asJson) }));
  else print(done);
  const broken = done.some(({ replay, rows }) =>
    promises(replay, rows, methods).some(({ isCertain, kept, of }) => isCertain && kept < of),
  );
  if (broken) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  if (!(error instanceof CompileError)) throw error;
  console.error(error.format());
  process.exitCode = 1;
}
