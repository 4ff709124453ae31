/** `npm run fuzz`: damaged copies of small models through `inspect` and `compile`; only valid results and clear errors count. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { spread } from '../support/workers.ts';
import { type Attempt, type Job, mutantOf } from './attempt.ts';

const USAGE = `npm run fuzz -- [options]

  --runs N     damaged models (5000)
  --seed N     other damage (1)
  --only SEED  one run again, as a failure names it
  --save FILE  with --only: write the damaged model there, run nothing
  --jobs N     processes (this machine's cores)
  --json       print one JSON object
`;

/** Of one command on one model; onnxruntime itself is stopped earlier. */
const SECONDS = 10;

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    save: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function usage(message = ''): never {
  process.stderr.write(`${message && `${message}\n\n`}${USAGE}`);
  process.exit(message ? 1 : 0);
}

function whole(flag: 'runs' | 'seed' | 'only' | 'jobs', least: number): number {
  const value = Number(values[flag]);
  if (Number.isSafeInteger(value) && value >= least) return value;
  return usage(`--${flag} takes a whole number from ${least} on`);
}

if (values.help) usage();
const seeds =
  values.only === undefined
    ? Array.from({ length: whole('runs', 1) }, (_, i) => whole('seed', 0) * 1_000_000 + i)
    : [whole('only', 0)];
if (values.save !== undefined) {
  if (values.only === undefined) usage('--save needs --only');
  const { subject, bytes, what } = mutantOf(seeds[0]!);
  writeFileSync(values.save, bytes);
  process.stdout.write(`${subject.name}: ${what.join(', ')}\n`);
  process.exit();
}

// Workers that are killed leave things behind.
const folder = mkdtempSync(join(tmpdir(), 'shardonnx-fuzz-'));
process.env.TMPDIR = folder;
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const print = (text: string) => {
  if (!values.json) process.stdout.write(`${text}\n`);
};
const began = performance.now();
const run = (jobs: readonly Job[], workers: number) =>
  spread<Job, Attempt>({
    script: new URL('worker.ts', import.meta.url),
    jobs,
    workers,
    seconds: SECONDS,
    lost: ({ seed }, { stage, why, hung, ms }) => {
      const { subject, what } = mutantOf(seed);
      return { seed, subject: subject.name, mutations: what, ends: [], fault: `${stage}: ${why}`, hung, ms };
    },
  });
const first = await run(
  seeds.map((seed) => ({ seed })),
  whole('jobs', 1),
);
// On a busy machine anything takes long: what hangs does so again when nothing else runs.
const hung = first.filter((attempt) => attempt.hung);
const again = new Map((await run(hung, 1)).map((attempt) => [attempt.seed, attempt]));
const attempts = first.map((attempt) => again.get(attempt.seed) ?? attempt);

const faults = attempts.filter(({ fault }) => fault !== undefined);
for (const { seed, subject, mutations, fault } of faults) {
  print(`FAIL --only ${seed}: ${subject}, ${mutations.join(', ')}\n     ${fault}`);
}
const ends = new Map<string, number>();
for (const {
  ends: [, end],
} of attempts.filter(({ fault }) => fault === undefined)) {
  ends.set(end!, (ends.get(end!) ?? 0) + 1);
}
const counted = Object.fromEntries([...ends].sort(([, a], [, b]) => b - a));
const slowest = Math.max(...attempts.map(({ ms }) => ms));
const [passed, failed] = [attempts.length - faults.length, faults.length];
const seconds = (performance.now() - began) / 1000;
if (values.json) {
  const { seed } = values;
  const summary = {
    ok: failed === 0,
    runs: attempts.length,
    seed: Number(seed),
    ends: counted,
    slowestMs: slowest,
    faults,
  };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
}
for (const [end, count] of Object.entries(counted)) print(`${String(count).padStart(6)}  ${end}`);
print(`${seconds.toFixed(0)} s, the slowest model ${(slowest / 1000).toFixed(1)} s`);
print(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
