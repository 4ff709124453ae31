/** `npm test`: types, lint, then every *.test.ts in a process of its own. Ends with `N passed, N failed`. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Generous: a hanging test must not hang everything. */
const DEADLINE_MS = 10 * 60_000;

interface Outcome {
  readonly name: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly text: string;
}

function start(name: string, command: readonly string[]): Promise<{ name: string; status: number; text: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...command], { cwd: root, env: { ...process.env, FORCE_COLOR: '0' } });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        text += chunk;
      });
    }
    const deadline = setTimeout(() => {
      text += '\nno end within the deadline';
      child.kill('SIGKILL');
    }, DEADLINE_MS);
    child.on('close', (status) => {
      clearTimeout(deadline);
      resolve({ name, status: status ?? 1, text });
    });
  });
}

/** A check that passes or fails as a whole. */
async function check(name: string, command: readonly string[]): Promise<Outcome> {
  const { status, text } = await start(name, command);
  return { name, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0, text };
}

/** uvu exits 0 when a file forgets test.run() and when .only is left in: both count as failures. */
async function testFile(file: string): Promise<Outcome> {
  const source = readFileSync(join(root, file), 'utf8');
  if (/\.only\(/.test(source)) return { name: file, passed: 0, failed: 1, skipped: 0, text: '.only is left in' };
  const { status, text } = await start(file, ['--import', 'tsx', file]);
  const sum = (label: string) =>
    [...text.matchAll(new RegExp(`${label}:\\s+(\\d+)`, 'g'))].reduce((total, match) => total + Number(match[1]), 0);
  const [total, passed, skipped] = [sum('Total'), sum('Passed'), sum('Skipped')];
  if (total === 0) return { name: file, passed: 0, failed: 1, skipped: 0, text: `${text}\nno test ran` };
  // uvu counts what it skips in neither.
  const failed = total - passed;
  return { name: file, passed, failed: status !== 0 && failed === 0 ? 1 : failed, skipped, text };
}

const wanted = process.argv.slice(2);
const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => join('test', file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();
const bin = (name: string, path: string) => join(root, 'node_modules', name, path);
const jobs: (() => Promise<Outcome>)[] = files.map((file) => () => testFile(file));
if (wanted.length === 0) {
  jobs.unshift(
    () => check('types', [bin('typescript', 'bin/tsc'), '--noEmit']),
    () => check('lint', [bin('@biomejs/biome', 'bin/biome'), 'check', '--max-diagnostics=50']),
  );
}

const outcomes: Outcome[] = [];
async function work(): Promise<void> {
  for (let job = jobs.shift(); job; job = jobs.shift()) {
    const outcome = await job();
    outcomes.push(outcome);
    const { name, passed, failed, skipped, text } = outcome;
    const mark = failed > 0 ? 'FAIL' : 'ok  ';
    console.log(
      `${mark} ${name}: ${passed} passed${failed ? `, ${failed} failed` : ''}${skipped ? `, ${skipped} skipped` : ''}`,
    );
    for (const line of text.split('\n')) if (failed > 0 || line.startsWith('skipped:')) console.log(`     ${line}`);
  }
}
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));

const sum = (key: 'passed' | 'failed' | 'skipped') => outcomes.reduce((total, outcome) => total + outcome[key], 0);
const skipped = sum('skipped');
console.log(`${sum('passed')} passed, ${sum('failed')} failed${skipped ? `, ${skipped} skipped` : ''}`);
if (sum('failed') > 0 || sum('passed') === 0) process.exitCode = 1;
