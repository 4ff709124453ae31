/**
 * `npx tsx test/operators/reverse.ts [OPERATOR]`: the reverse check over all examples; lists what could have been cut.
 * Cutting where it makes no sense can crash onnxruntime: the examples run in a process of their own, started again behind
 * the one it crashed on.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { examples } from '../../compiler/operators/examples/index.ts';
import { cutOf } from '../../compiler/operators/index.ts';
import { suspects } from './reverse-check.ts';

const WORKER = '--from';

/** One line an example, from number `from` on: a JSON list of what is suspect. */
async function work(from: number, wanted: string | undefined): Promise<void> {
  for (const given of examples.slice(from)) {
    const skip = wanted !== undefined && given.type !== wanted;
    const found = skip ? [] : await suspects(given, ({ node }) => cutOf(node, given.domain ?? ''));
    process.stdout.write(`${JSON.stringify(found)}\n`);
  }
}

function supervise(wanted: string | undefined): void {
  let [done, listed, crashed] = [0, 0, 0];
  const file = fileURLToPath(import.meta.url);
  while (done < examples.length) {
    const args = ['--import', 'tsx', file, WORKER, String(done), ...(wanted === undefined ? [] : [wanted])];
    const { stdout, status, signal } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines = stdout.split('\n').filter((line) => line !== '');
    for (const [i, line] of lines.entries()) {
      const { domain = '', type } = examples[done + i]!;
      for (const found of JSON.parse(line) as string[]) {
        console.log(`${domain && `${domain}::`}${type} ${found}`);
        listed++;
      }
    }
    done += lines.length;
    if (status === 0) break;
    if (signal === null && status !== 139) throw new Error(`the check of example ${done} ended with status ${status}`);
    console.log(`${examples[done]!.type}: a part of it crashes onnxruntime`);
    done++;
    crashed++;
  }
  console.log(`${done} examples, ${listed} listed, ${crashed} crashed`);
}

const [, , first, ...rest] = process.argv;
if (first === WORKER) await work(Number(rest[0]), rest[1]);
else supervise(first);
