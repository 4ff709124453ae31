/** `compile` and `inspect` that succeed: what they say, what they write, what they replace. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgram } from '../../compiler/ir/parse.ts';
import { parsePlan } from '../../compiler/planning/plan.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('compile');
const work = workFolder();
const model = modelFile('mlp');
const compile = (output: string, ...more: string[]) =>
  shardonnx('compile', model, '--cluster', work.cluster, '-o', output, ...more);

test('as text: a table of devices, what crosses, what to do next', async () => {
  const output = work.path('text');
  const { status, stdout, stderr } = await compile(output);
  assert.is(status, 0);
  assert.is(stderr, '');
  assert.match(stdout, /^device +operators +segments +weights +peak \(predicted\)\n/);
  assert.match(stdout, /^a +\d+ +\d+ +\S+ \S+ +\S+ KiB$/m);
  assert.match(stdout, /^spatial: \d+ transfers, .*; predicted [\d.]+ ms$/m);
  assert.ok(stdout.includes(`shardonnx run ${output} --verify ${model}`));
});

test('as JSON: one object with what every device got', async () => {
  const spoken = await compile(work.path('json'), '--policy', 'cut:fc2', '--json');
  assert.is(spoken.status, 0);
  const { predictedMs, devices, ...rest } = json(spoken);
  assert.equal(rest, {
    ok: true,
    output: work.path('json'),
    policy: 'cut:fc2',
    transfers: 2,
    bytes: 4 * (4 * 128 + 4 * 10),
  });
  assert.ok(predictedMs > 0);
  assert.equal(Object.keys(devices), ['a', 'b']);
  for (const device of Object.values(devices) as Record<string, number>[]) {
    for (const key of ['operators', 'segments', 'weightBytes', 'peakBytes']) assert.ok(device[key]! > 0, key);
  }
});

test('the build holds what the README says, and no path of this machine in its programs', async () => {
  const output = work.path('text');
  for (const name of ['bundle.json', 'plan.json', 'program.ir', 'timeline.json'])
    assert.ok(existsSync(join(output, name)), name);
  for (const device of ['a', 'b']) {
    for (const name of [
      'package.json',
      'device.json',
      'program.ts',
      'program.js',
      'main.js',
      'runtime.js',
      'runtime-metrics.js',
      'runtime.d.ts',
    ])
      assert.ok(existsSync(join(output, device, name)), `${device}/${name}`);
  }
  parsePlan(readFileSync(join(output, 'plan.json'), 'utf8'));
  assert.is(parseProgram(readFileSync(join(output, 'program.ir'), 'utf8')).stage, 'linked');
});

test('the plan of a build makes the same build again', async () => {
  const [first, second] = [work.path('text'), work.path('again')];
  assert.is((await compile(second, '--plan', join(first, 'plan.json'))).status, 0);
  for (const name of ['plan.json', 'bundle.json', join('a', 'program.ts'), join('b', 'device.json')]) {
    assert.is(readFileSync(join(second, name), 'utf8'), readFileSync(join(first, name), 'utf8'), name);
  }
});

test('--dump writes every stage and the plan', async () => {
  const dump = work.path('stages');
  assert.is((await compile(work.path('dumped'), '--dump', dump)).status, 0);
  for (const [i, stage] of ['imported', 'split', 'assembled', 'linked'].entries()) {
    const program = parseProgram(readFileSync(join(dump, `${i}-${stage}.ir`), 'utf8'));
    assert.is(program.stage, stage);
  }
  parsePlan(readFileSync(join(dump, 'plan.json'), 'utf8'));
});

test('an earlier build is replaced, with nothing of it left', async () => {
  const output = work.path('replaced');
  await compile(output);
  assert.is((await compile(output, '--policy', 'whole:b')).status, 0);
  const { policy } = parsePlan(readFileSync(join(output, 'plan.json'), 'utf8'));
  assert.is(policy, 'whole:b');
  assert.not(
    work.list().some((name) => name.startsWith('.')),
    'no draft is left beside it',
  );
});

test('an empty folder is used', async () => {
  mkdirSync(work.path('empty'));
  assert.is((await compile(work.path('empty'))).status, 0);
  assert.ok(existsSync(join(work.path('empty'), 'bundle.json')));
});

test('what is not ours is left alone', async () => {
  const mine = work.write('mine/notes.txt', 'important');
  assertRefused(await compile(work.path('mine')), 'output-not-ours', /not empty and no build/);
  await compile(work.path('mixed'));
  writeFileSync(join(work.path('mixed'), 'notes.txt'), 'important');
  assertRefused(await compile(work.path('mixed')), 'output-not-ours', /"notes\.txt"/);
  assertRefused(await compile(mine), 'output-not-ours', /is a file/);
  assertRefused(await compile(join(mine, 'build')), 'file-system', /notes\.txt/);
  assert.is(readFileSync(mine, 'utf8'), 'important');
  assert.ok(existsSync(join(work.path('mixed'), 'bundle.json')));
});

test('a free batch is 1 and said to be; --dim sets it', async () => {
  const free = modelFile('dynamicBatch');
  const args = ['compile', free, '-c', work.cluster, '--json'];
  const noticed = await shardonnx(...args, '-o', work.path('batch1'));
  assert.is(noticed.status, 0);
  assert.match(noticed.stderr, /^note: dimension 0 of input "x" \(batch\) is taken to be 1; --dim batch=SIZE/);
  const given = await shardonnx(...args, '-o', work.path('batch3'), '--dim', 'batch=3');
  assert.is(given.stderr, '');
  const { inputs } = JSON.parse(readFileSync(join(work.path('batch3'), 'a', 'device.json'), 'utf8'));
  assert.equal(inputs[0].shape, [3, 3, 16, 16]);
});

test('--plan and --policy exclude each other; flags that are missing or unknown are named', async () => {
  const usage = async (...args: string[]) => {
    const spoken = await shardonnx(...args);
    assertRefused(spoken, 'usage', /\n {2}shardonnx (compile|<command>) --help shows what it takes\n$/);
    return spoken.stderr;
  };
  assert.match(await usage('compile', model), /required option '-c, --cluster <file>' not specified/);
  assert.match(
    await usage('compile', model, '-c', 'c', '-o', 'o', '--plan', 'p', '--policy', 'spatial'),
    /cannot be used with/,
  );
  assert.match(await usage('compile', model, '-c', 'c', '-o', 'o', '--polcy', 'spatial'), /unknown option '--polcy'/);
  assert.match(await usage('comple'), /unknown command 'comple'/);
  const spoken = await shardonnx('compile', model, '--json');
  const { code, hint } = json(spoken).error;
  assert.equal([spoken.status, code], [1, 'usage']);
  assert.match(hint, /--help/);
});

test('inspect: operators, shapes, how each may be cut, what a cut before it moves', async () => {
  const text = await shardonnx('inspect', modelFile('squeezeExcite'));
  assert.is(text.status, 0);
  assert.match(text.stdout, /^inputs {3}%x: float32\[1,8,21,26\]$/m);
  assert.match(text.stdout, /^grouped +Conv +float32\[1,24,21,26\] +nohw +nohw,oiyx,o->nohw +68\.3 KiB$/m);
  const { ok, inputs, outputs, operators } = json(await shardonnx('inspect', model, '--json'));
  assert.ok(ok);
  assert.equal(
    [inputs, outputs],
    [[{ name: 'x', dtype: 'float32', shape: [4, 64] }], [{ name: 'y', dtype: 'float32', shape: [4, 10] }]],
  );
  const [fc1] = operators;
  assert.equal(
    [fc1.name, fc1.type, fc1.local, fc1.reduce, fc1.constant, fc1.cutBytes],
    ['fc1', 'Gemm', ['m', 'n'], ['k'], false, 4 * 4 * 64],
  );
});

test.run();
