/** Models that end the process onnxruntime runs in: an error of its own each, and the next import works. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { culprit } from '../../compiler/onnx/culprit.ts';
import { takeApart } from '../../compiler/onnx/draft.ts';
import { explainFailure } from '../../compiler/onnx/failure.ts';
import { EndedError, Guard } from '../../compiler/onnx/guard/guard.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { childrenOf, isAlive } from '../support/processes.ts';
import { root } from '../support/sources.ts';
import { errorOf, floats, imported, int64s, modelBytes, node, value, workFolder } from './make.ts';

const work = workFolder();
test.after(work.remove);

/** Constants of 64 MiB, each computed from the one before: minutes of work (MatMul) or gigabytes (Add) for whoever folds them. */
const bomb = (type: 'MatMul' | 'Add') => {
  const steps = Array.from({ length: 200 }, (_, i) => node(type, [`c${i}`, 'c0'], [`c${i + 1}`]));
  return {
    nodes: [
      node('Expand', ['half', 'shape'], ['c0']),
      ...steps,
      node('Sum', ['x', ...steps.map(({ output }) => output[0]!)], ['y']),
    ],
    inputs: [value('x', [1, 1])],
    initializers: [floats('half', [1], [0.5]), int64s('shape', [4096, 4096])],
  };
};
const CHILD = 'guard/child.ts';
const file = path.join(work.folder, 'left.onnx');

/** How the process ends over a model. */
async function endOf(guard: Guard, model: Uint8Array, seconds: number): Promise<EndedError['how'] | undefined> {
  try {
    await guard.inTurn((load) => load({ model, file }, seconds));
    return undefined;
  } catch (error) {
    if (error instanceof EndedError) return error.how;
    throw error;
  }
}

/** The process in which a program has onnxruntime. */
async function guarded(parent: number | undefined): Promise<number> {
  for (let i = 0; i < 300; i++) {
    const [pid] = childrenOf(parent ?? 0, CHILD);
    if (pid !== undefined) return pid;
    await sleep(50);
  }
  throw new Error('onnxruntime has no process');
}

async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(50);
  return !isAlive(pid);
}

test('a model that takes too long is stopped; another one is not', async () => {
  const guard = new Guard(2 ** 32);
  const ends = [endOf(guard, modelBytes(bomb('MatMul')), 1), endOf(guard, modelBytes(), 30)];
  assert.equal(await Promise.all(ends), ['time', undefined]);
});

test('a model that takes too much memory is stopped', async () => {
  const guard = new Guard(400 * 2 ** 20);
  assert.is(await endOf(guard, modelBytes(bomb('Add')), 30), 'memory');
  assert.is(await endOf(guard, modelBytes(), 30), undefined);
});

test('a deadline is an error of its own', async () => {
  const error = await errorOf(() => importModel(work.model(bomb('MatMul'), 'slow.onnx')));
  assert.is(error.code, 'onnxruntime-timeout');
  assert.match(error.format(), /stopped after 6 s while it folded constants/);
  assert.match(error.format(), /at .*slow\.onnx\n {2}make the model simpler/);
  assert.is((await imported(work.model())).operators.length, 1);
});

test('a crash ends no other work', async () => {
  const guard = new Guard(2 ** 32);
  assert.is(await endOf(guard, modelBytes(), 30), undefined);
  const ends = [endOf(guard, modelBytes(bomb('MatMul')), 60), endOf(guard, modelBytes(), 30)];
  // The model is sent before the event loop comes round.
  await sleep(1);
  for (const pid of childrenOf(process.pid, CHILD)) process.kill(pid, 'SIGSEGV');
  assert.equal(await Promise.all(ends), ['crash', undefined]);
});

/** onnxruntime 1.30 ends its process when it folds a OneHot of nothing. */
const fatal = {
  opsets: { '': 11 },
  nodes: [
    node('Relu', ['x'], ['a']),
    node('OneHot', ['none', 'none', 'none'], ['hot'], {}, { name: 'one-hot' }),
    ...Array.from({ length: 9 }, (_, i) => node('Relu', [i ? `a${i}` : 'a'], [`a${i + 1}`])),
    node('Sum', ['a9', 'hot'], ['y']),
  ],
  initializers: [floats('none', [0], [])],
};

test('a crash is an error of its own', async () => {
  const error = await errorOf(() => importModel(work.model(fatal, 'fatal.onnx')));
  assert.is(error.code, 'onnxruntime-crashed');
  assert.match(error.format(), /crashed \(SIG\w+\) while it folded constants .*\n {2}at .*fatal\.onnx/);
  assert.is((await imported(work.model())).operators.length, 1);
});

test('the node of a crash is found', async () => {
  const draft = takeApart('fatal.onnx', modelBytes(fatal));
  assert.is(await culprit(draft, (failure) => failure instanceof EndedError && failure.how === 'crash', 60), 'one-hot');
});

test('no node is blamed for a crash that does not happen again', async () => {
  const draft = takeApart('some.onnx', modelBytes());
  const error = await explainFailure(draft, new EndedError('crash', 'SIGSEGV'));
  assert.is(error.code, 'onnxruntime-crashed');
  assert.match(error.format(), /^onnxruntime-crashed: onnxruntime crashed \(SIGSEGV\) .*\n {2}at some\.onnx\n/);
});

/** A program that imports a model. */
const importing = (model: string) => {
  const code = `import('./compiler/index.ts').then(({ loadModel }) => loadModel(${JSON.stringify(model)}))`;
  return spawn(process.execPath, ['--import', 'tsx', '-e', code], { cwd: root, stdio: 'inherit' });
};

test('the process keeps no program alive and ends with it', async () => {
  const program = importing(work.model());
  const pid = await guarded(program.pid);
  const deadline = setTimeout(() => program.kill('SIGKILL'), 30_000);
  const [status] = await once(program, 'exit');
  clearTimeout(deadline);
  assert.is(status, 0);
  assert.ok(await gone(pid));
});

test('it also ends, in the midst of its work, with a program that is killed', async () => {
  const program = importing(work.model(bomb('MatMul'), 'orphan.onnx'));
  const pid = await guarded(program.pid);
  await sleep(1500);
  assert.ok(isAlive(pid));
  program.kill('SIGKILL');
  assert.ok(await gone(pid));
});

test.run();
