/** `--max-relative-error`: what `compile` and `plan` choose and tell, and what `verify` and `run` make of it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodingName } from '../../compiler/planning/encodings.ts';
import { parsePlan } from '../../compiler/planning/plan.ts';
import { encodeNpy } from '../../runtime/npy.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('accuracy');
const work = workFolder();
const model = modelFile('convChain');
const slow = work.write(
  'slow.yaml',
  'devices: { a: {}, b: { speed: 3 } }\nlinks: [{ between: [a, b], bandwidth: 10 Mbit/s }]\n',
);
const compile = (build: string, ...more: readonly string[]) =>
  shardonnx('compile', model, '-c', slow, '-o', work.path(build), ...more);
const planIn = (build: string) => parsePlan(readFileSync(join(work.path(build), 'plan.json'), 'utf8'));
const memory = ['--transport', 'memory'];

test('compile: what is encoded, what that comes to; the plan says it too', async () => {
  const exact = await compile('exact', '--json');
  assert.not('encoded' in json(exact));
  const { status, stdout, stderr } = await compile('text', '--max-relative-error', '0.02');
  assert.is(status, 0, stderr);
  assert.match(
    stdout,
    /\nmeasured error \d\.\de-\d of an output's largest magnitude, 0\.02 allowed\n {2}(float16|int8): /,
  );
  const spoken = json(await compile('json', '--max-relative-error', '0.02', '--input', 'random', '--json'));
  const { maxRelativeError, relativeError, float16, int8, int8PerChannel, exact: left } = spoken.encoded;
  assert.is(maxRelativeError, 0.02);
  assert.ok(relativeError > 0 && relativeError <= 0.02);
  assert.equal([Array.isArray(left.overBudget), Array.isArray(left.needless)], [true, true]);
  const { encodings = {} } = planIn('json');
  const named = (name: string) => Object.keys(encodings).filter((tensor) => encodingName(encodings[tensor]!) === name);
  assert.equal([float16, int8, int8PerChannel], [named('float16'), named('int8'), named('int8PerChannel')]);
  assert.ok(Object.keys(encodings).length > 0 && spoken.bytes < json(exact).bytes);
});

test('compile and plan: errors are measured on the inputs that are given', async () => {
  // float16 ends at 65504.
  const [dims, length] = [[1, 3, 37, 53], 3 * 37 * 53];
  const data = Float32Array.from({ length }, (_, i) => 1e6 * Math.sin(i));
  const file = work.write('large.npy', encodeNpy({ type: 'float32', dims, data }));
  const given = ['--policy', 'whole:b', '--max-relative-error', '0.0005', '--json', '--input'];
  const float16 = async (input: string) => [
    json(await compile('given', ...given, input)).encoded.float16,
    json(await shardonnx('plan', model, '-c', slow, ...given, `x=${input}`)).encoded.float16,
  ];
  assert.equal(await float16(file), [[], []]);
  assert.not.equal(await float16('random'), [[], []]);
});

test('compile: 0 is exact', async () => {
  await compile('zero', '--max-relative-error', '0');
  assert.equal([planIn('zero').encodings, planIn('zero').maxRelativeError], [undefined, undefined]);
});

test('verify: allows the budget and says so; --atol has the last word', async () => {
  const verify = (...more: readonly string[]) => shardonnx('verify', work.path('text'), model, ...more);
  const { status, stdout } = await verify();
  assert.is(status, 0);
  assert.match(
    stdout,
    /\ncompiled with \d+ tensors? encoded on the wire, --max-relative-error 0\.02: .* on top\nallowed: /,
  );
  const { tolerance, why } = json(await verify('--json'));
  assert.is(tolerance.atol, 0.02 + 1e-5);
  assert.match(why, /^compiled with/);
  const strict = await verify('--atol', '1e-6', '--rtol', '1e-6');
  assert.is(strict.status, 1);
  assert.match(
    strict.stdout,
    /^DIFFERS .*\ncompiled with .*, which does not count: --atol is given\nallowed: 0.000001 /,
  );
  assert.not.match((await shardonnx('verify', work.path('exact'), model)).stdout, /compiled with/);
});

test('run: --verify allows it too', async () => {
  const { status, stdout } = await shardonnx('run', work.path('text'), '--verify', model, ...memory);
  assert.is(status, 0);
  assert.match(stdout, /\nequal .*\ncompiled with /);
});

test('plan: the chosen plan is measured and written; compile takes it as it is', async () => {
  const file = work.path('plan.json');
  const plan = ['plan', model, '-c', slow, '--policy', 'offload;spatial'];
  const { stdout, status, stderr } = await shardonnx(...plan, '--max-relative-error', '0.02', '-o', file);
  assert.is(status, 0, stderr);
  assert.match(stdout, /\nall but the chosen one as if every float32 crossed as float16\nchosen: /);
  assert.match(stdout, /\nmeasured error \d/);
  const { policies, chosen, encoded } = json(await shardonnx(...plan, '--max-relative-error', '0.02', '--json'));
  const exact = json(await shardonnx(...plan, '--json'));
  assert.ok(encoded.relativeError <= 0.02 && !('encoded' in exact));
  type Row = { name: string; latencyMs: number };
  const latency = (rows: readonly Row[], name: string) => rows.find((row) => row.name === name)!.latencyMs;
  assert.ok(latency(policies, chosen) < latency(exact.policies, exact.chosen));
  assert.is((await compile('planned', '--plan', file)).status, 0);
  assert.equal(planIn('planned'), parsePlan(readFileSync(file, 'utf8')));
});

test('plan: a budget that allows nothing leaves the exact table', async () => {
  const plan = ['plan', model, '-c', slow, '--policy', 'local;offload', '--json'];
  const { policies, chosen, encoded } = json(await shardonnx(...plan, '--max-relative-error', '1e-7'));
  const exact = json(await shardonnx(...plan));
  assert.equal([policies, chosen], [exact.policies, exact.chosen]);
  assert.equal([encoded.float16, encoded.int8, encoded.int8PerChannel], [[], [], []]);
});

test('plan: not with questions of many plans', async () => {
  for (const question of [['--pareto'], ['--bandwidth', '1..2Mbit/s']]) {
    const spoken = await shardonnx('plan', model, '-c', slow, '--max-relative-error', '0.1', ...question);
    assertRefused(spoken, 'flag', /--max-relative-error with --pareto or --bandwidth/);
  }
});

test('a deadline that only encoding meets', async () => {
  const plan = ['plan', model, '-c', slow, '--policy', 'offload', '--deadline', '15ms', '--json'];
  assertRefused(await shardonnx(...plan.slice(0, -1)), 'infeasible', /the deadline is 15 ms/);
  const { policies } = json(await shardonnx(...plan, '--max-relative-error', '0.02'));
  assert.ok(policies[0].latencyMs <= 15);
  const strict = await shardonnx(...plan.slice(0, -1), '--max-relative-error', '1e-7');
  assertRefused(strict, 'infeasible', /the deadline is 15 ms/);
});

test.run();
