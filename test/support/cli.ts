/** The command line under test: in this process, where a spawn a test would take minutes, or as users start it. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { run } from '../../compiler/cli/command-line.ts';

export interface Spoken {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command in this process. */
export async function shardonnx(...args: readonly string[]): Promise<Spoken> {
  const streams = [process.stdout, process.stderr] as const;
  const texts = ['', ''];
  const own = streams.map((stream) => stream.write);
  for (const [i, stream] of streams.entries()) {
    stream.write = (chunk: string | Uint8Array) => {
      texts[i] += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
      return true;
    };
  }
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    await run(args);
    return { status: Number(process.exitCode ?? 0), stdout: texts[0]!, stderr: texts[1]! };
  } finally {
    process.exitCode = before;
    for (const [i, stream] of streams.entries()) stream.write = own[i]!;
  }
}

/** The file to start, with `--import tsx`. */
export const main = fileURLToPath(new URL('../../compiler/cli/main.ts', import.meta.url));

/** Runs one command as a process of its own. */
export function spawned(...args: readonly string[]): Promise<Spoken> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', main, ...args]);
    const texts = ['', ''];
    for (const [i, stream] of [child.stdout, child.stderr].entries()) {
      stream.on('data', (chunk: Buffer) => {
        texts[i] += chunk.toString();
      });
    }
    child.on('error', reject);
    child.on('close', (status) => resolve({ status: status ?? 1, stdout: texts[0]!, stderr: texts[1]! }));
  });
}

/** The only JSON object on stdout. */
export function json({ stdout }: Spoken) {
  assert.match(stdout, /^\{.*\}\n$/, 'one line of JSON and nothing else');
  return JSON.parse(stdout);
}

/** Fails unless a command ended with status 1 and said `code: message`, where, and what to do. */
export function assertRefused({ status, stdout, stderr }: Spoken, code: string, message: RegExp): void {
  const lines = stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('note: '));
  assert.is(status, 1, stderr);
  assert.is(stdout, '');
  assert.ok(lines[0]!.startsWith(`${code}: `), stderr);
  assert.match(stderr, message);
  const [last] = lines.slice(-1);
  assert.ok(lines.length > 1 && last!.startsWith('  ') && !last!.startsWith('  at '), `a hint ends it: ${stderr}`);
  assert.not.match(stderr, /node:internal|\.ts:\d+:\d+/, 'no stack trace');
}

/** A temporary folder with a cluster of two in it, `two.yaml`; gone when the process ends. */
export function workFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'shardonnx-test-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const path = (name: string) => join(folder, name);
  const write = (name: string, content: string | Uint8Array): string => {
    mkdirSync(dirname(path(name)), { recursive: true });
    writeFileSync(path(name), content);
    return path(name);
  };
  const cluster = write(
    'two.yaml',
    'devices: { a: {}, b: { speed: 2 } }\nlinks: [{ between: [a, b], bandwidth: 1 Gbit/s }]\n',
  );
  return {
    path,
    write,
    cluster,
    /** The model as a build of this name, for the folder's cluster. */
    async compile(model: string, name: string, ...more: readonly string[]): Promise<string> {
      const { status, stderr } = await shardonnx('compile', model, '-c', cluster, '-o', path(name), ...more);
      assert.is(status, 0, stderr);
      return path(name);
    },
    /** Names of everything in the folder, hidden things included. */
    list: () => readdirSync(folder).sort(),
  };
}
