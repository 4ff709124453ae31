/** Settings of V8, in a process of its own: they are a process's. What they do to inferences only a bench can tell. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('collection');
const collection = fileURLToPath(new URL('../../runtime/collection.ts', import.meta.url));

test('this V8 knows the setting', async () => {
  const program = `import { collectSeldom } from ${JSON.stringify(collection)}; collectSeldom();`;
  const args = ['--import', 'tsx', '--input-type=module', '-e', program];
  const { stderr } = await promisify(execFile)(process.execPath, args, { timeout: 60_000 });
  // It says so when it does not.
  assert.not.match(stderr, /flag/);
});

test.run();
