/** What the runner makes of cases that take their process with them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runAll } from './workers.ts';

const test = suite('conformance workers');

const work = { script: new URL('faulty-worker.ts', import.meta.url), seconds: 4 };
const options = { devices: 2, turn: 0, policy: null };
const caseOf = (name: string) => ({ name, model: '', data: [] });

/** Status and error by case, and the order in which they were told. */
async function run(workers: number, ...names: string[]) {
  const told: string[] = [];
  const outcomes = await runAll(names.map(caseOf), options, workers, ({ name }) => told.push(name), work);
  assert.equal(
    outcomes.map(({ name }) => name),
    names,
  );
  assert.equal(told.toSorted(), names.toSorted(), 'each is told once');
  return outcomes.map(({ status, error }) => (error === null ? status : `${status}: ${error}`));
}

test('a case that ends its process fails, those after it run in another', async () => {
  assert.equal(await run(1, 'passes', 'exits', 'passes/exits', 'is killed', 'passes/refuses'), [
    'passed',
    'failed: run: the process ended with 3',
    'passed',
    'failed: run: the process ended with SIGKILL',
    'passed',
  ]);
});

test('a case that hangs fails, one that goes on does not', async () => {
  assert.equal(await run(2, 'hangs', 'takes long, and says so', 'passes'), [
    'failed: run: no end within 4 s',
    'passed',
    'passed',
  ]);
});

test('where plain onnxruntime does not pass either, the case is unsupported', async () => {
  assert.equal(await run(2, 'exits/exits', 'is killed/refuses', 'exits/hangs'), [
    'unsupported: onnxruntime: the process ended with 3',
    'unsupported: its own words',
    'unsupported: onnxruntime: no end within 4 s',
  ]);
});

test('a worker that cannot start is an error', async () => {
  const script = new URL('no-such-worker.ts', import.meta.url);
  const error = await runAll([caseOf('passes')], options, 1, () => {}, { ...work, script }).catch(
    (cause: Error) => cause,
  );
  assert.match(String(error), 'before it can begin');
});

test.run();
