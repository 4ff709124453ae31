/** `plan` and `compile` with objectives, deadlines, budgets, ranges of bandwidths and Pareto fronts. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parsePlan } from '../../compiler/planning/plan.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('plan requests');
const work = workFolder();
const model = modelFile('convChain');
const powered = work.path('powered.json');
writeFileSync(
  powered,
  JSON.stringify({
    devices: {
      a: { speed: 0.001, power: { idle: '1 W', compute: '2 W' } },
      b: { speed: 0.05, power: { idle: '10 W', compute: '400 W' } },
    },
    links: [{ between: ['a', 'b'], bandwidth: '1 Gbit/s' }],
  }),
);
const plan = (...more: string[]) => shardonnx('plan', model, '--cluster', powered, ...more);
interface Row {
  readonly name: string;
  readonly latencyMs: number;
  readonly energyJ: number;
  readonly throughput: number;
}

test('an objective chooses the plan that is best in it', async () => {
  const best: Record<string, (row: Row) => number> = {
    latency: ({ latencyMs }) => latencyMs,
    energy: ({ energyJ }) => energyJ,
    throughput: ({ throughput }) => -throughput,
  };
  for (const [objective, value] of Object.entries(best)) {
    const { policies, chosen } = json(await plan('--objective', objective, '--json'));
    const rows: Row[] = policies;
    const found = rows.find(({ name }) => name === chosen)!;
    for (const row of rows)
      assert.ok(value(found) <= value(row) + 1e-12, `${objective}: ${chosen} against ${row.name}`);
  }
});

test('a deadline that no plan meets: what is needed, what is allowed, and no build', async () => {
  const output = work.path('late');
  const late = /needs .* ms, the deadline is 0\.001 ms/;
  const build = ['-o', output, '--policy', 'auto'];
  assertRefused(await plan('--deadline', '1us'), 'infeasible', late);
  assertRefused(
    await shardonnx('compile', model, '--cluster', powered, ...build, '--deadline', '1us'),
    'infeasible',
    late,
  );
  assert.not(existsSync(output));
});

test('a deadline that one policy misses leaves the others', async () => {
  const { policies } = json(await plan('--json'));
  const rows: Row[] = policies;
  const times = rows.map(({ latencyMs }) => latencyMs);
  const limit = `${(Math.min(...times) + Math.max(...times)) / 2}ms`;
  const bounded = json(await plan('--deadline', limit, '--objective', 'energy', '--json'));
  const chosen = (bounded.policies as Row[]).find(({ name }) => name === bounded.chosen)!;
  assert.ok(chosen.latencyMs <= Number.parseFloat(limit));
});

test('energy of devices whose power nobody knows cannot be compared', async () => {
  assertRefused(
    await shardonnx('plan', model, '--cluster', work.cluster, '--objective', 'energy'),
    'objective',
    /power of a, b is not known/,
  );
});

test('a range of bandwidths: a table, and a plan file a row', async () => {
  const output = work.path('plans');
  const { rows, policies } = json(
    await plan('--bandwidth', '1..1000Mbit/s/4', '--policy', 'local;offload', '-o', output, '--json'),
  );
  assert.equal(
    readdirSync(output),
    (rows as unknown[]).map((_, i) => `plan-${i + 1}.json`),
  );
  for (const file of readdirSync(output)) parsePlan(readFileSync(`${output}/${file}`, 'utf8'), file);
  assert.is(policies.local.length, 4);
  const spoken = await plan('--bandwidth', '1..1000Mbit/s/4', '--policy', 'local;offload');
  assert.match(spoken.stdout, /^ *bandwidth +local +offload$/m);
});

test('a Pareto front: table, JSON and CSV say the same', async () => {
  const output = work.path('front.csv');
  const { points, exact } = json(await plan('--pareto', 'latency,energy', '-o', output, '--json'));
  assert.ok(exact && points.length > 0);
  const lines = readFileSync(output, 'utf8').trim().split('\n');
  assert.is(lines.length, points.length + 1);
  assert.is(Number(lines[1]!.split(',')[0]), points[0].latencyMs);
  for (let i = 1; i < points.length; i++)
    assert.ok(points[i].energyJ < points[i - 1].energyJ, 'slower and not thriftier');
  assert.match(
    (await plan('--pareto')).stdout,
    /cuts that none beats in latency, energy, throughput, link-bytes, memory/,
  );
});

const refused: Record<string, [args: readonly string[], code: string, message: RegExp]> = {
  'an unknown objective of a front': [['--pareto', 'beauty'], 'flag', /no objective "beauty"/],
  'two questions at once': [['--pareto', '--bandwidth', '1..2Mbit/s'], 'flag', /two questions/],
  'a deadline without a unit': [['--deadline', '5'], 'flag', /has no unit/],
  'a deadline below zero': [['--deadline=-5ms'], 'flag', /more than zero/],
  'a budget of nothing': [['--budget', '0s'], 'flag', /more than zero/],
  'a budget that is no time': [['--budget', '5 MB'], 'flag', /no known unit/],
  'a deadline without end': [['--deadline', '1e999s'], 'flag', /1e999s: the most is 86400 s/],
  'a budget of years': [['--budget', '1e9s'], 'flag', /1e9s: the most is 86400 s/],
  'a budget in words': [['--budget', 'abc'], 'flag', /"abc" is no quantity/],
  'a range that is none': [['--bandwidth', '7'], 'flag', /no range/],
  'a range downwards': [['--bandwidth', '5..1Mbit/s'], 'flag', /must ascend from above zero/],
  'a range of nothing': [['--bandwidth', '0..0Mbit/s'], 'flag', /must ascend from above zero/],
  'a range from nothing': [['--bandwidth', '0..5Mbit/s'], 'flag', /must ascend from above zero/],
  'a range without a unit': [['--bandwidth', '1..5'], 'flag', /has no unit/],
  'a range without end': [['--bandwidth', '1..1e30Tbit/s'], 'flag', /the least is 1 bit\/s, the most 10 TB\/s/],
  'a range looked at once': [['--bandwidth', '1..5Mbit/s/1'], 'flag', /2 to 200 bandwidths/],
  'an unknown order of platforms': [
    ['--pareto', '--platforms', 'any'],
    'usage',
    /'any' is invalid.*fixed, once, repeat/,
  ],
  'no stages': [['--pareto', '--stages', '0'], 'flag', /--stages 0\n.*above zero/s],
  'stages of no front': [['--stages', '2'], 'flag', /--stages without --pareto/],
  'platforms of no front': [['--platforms', 'fixed'], 'flag', /--platforms without --pareto/],
  'a front of a policy': [['--pareto', '--policy', 'cut'], 'flag', /--policy with --pareto/],
  'a front with a deadline': [['--pareto', '--deadline', '1s'], 'flag', /--deadline with --pareto/],
  'a deadline that hybrid cannot meet': [
    ['--policy', 'hybrid', '--deadline', '1us'],
    'policy',
    /none takes less than [\d.]+ ms, 0\.001 ms are allowed/,
  ],
  'an unknown objective': [['--objective', 'speed'], 'usage', /'speed' is invalid.*latency, throughput, energy/],
};
for (const [what, [args, code, message]] of Object.entries(refused)) {
  test(`refused: ${what}`, async () => assertRefused(await plan(...args), code, message));
}

/** Of a cluster; what each refusal must say of need and limit. */
const limits: Record<string, [cluster: string, args: readonly string[], code: string, message: RegExp]> = {
  'a front of devices that are too small': [
    'devices: { a: { memory: 1 KiB }, b: { memory: 2 KiB } }\nlinks: [{ between: [a, b], bandwidth: 1 MB/s }]',
    ['--pareto'],
    'infeasible',
    /at ".*" needs [\d.]+ [KM]iB for its weights .* no device has more than 2\.00 KiB/,
  ],
  'a front of devices that nothing joins': [
    'devices: { a: {}, b: {} }\noutputs: b',
    ['--pareto'],
    'infeasible',
    /at no links join the devices/,
  ],
  'outputs that nothing leads to': [
    'devices: { a: {}, b: {} }\noutputs: b',
    ['--deadline', '1s'],
    'infeasible',
    /at local: y must go from a to b, and no link joins them.*at hybrid: no links lead from the inputs to the outputs/s,
  ],
};
for (const [what, [text, args, code, message]] of Object.entries(limits)) {
  test(`refused: ${what}`, async () => {
    const cluster = work.write('limits.yaml', text);
    assertRefused(await shardonnx('plan', model, '-c', cluster, ...args), code, message);
  });
}

test("devices' own bits count in a front, and everything else says that they do not", async () => {
  const write = (bits: string) =>
    work.write(
      `bits${bits.length}.yaml`,
      `devices: { a: { ${bits} }, b: { speed: 3 } }\nlinks: [{ between: [a, b], bandwidth: 1 Gbit/s }]`,
    );
  const [plain, narrow] = [write(''), write('bits: 8')];
  const least = async (cluster: string) => {
    const spoken = await shardonnx('plan', model, '-c', cluster, '--pareto', 'memory,latency', '--json');
    assert.is(spoken.stderr, '');
    const points: { 'memory.a': number; 'memory.b': number }[] = json(spoken).points;
    return points.filter((point) => point['memory.b'] === 0).map((point) => point['memory.a']);
  };
  assert.equal(
    await least(narrow),
    (await least(plain)).map((bytes) => bytes / 4),
  );
  const peak = async (cluster: string) => json(await shardonnx('plan', model, '-c', cluster, '--json')).policies;
  assert.equal(await peak(narrow), await peak(plain));
  const build = work.path('bits');
  const { stderr } = await shardonnx('compile', model, '-c', narrow, '-o', build);
  assert.match(
    stderr,
    /^note: bits of a \(8\) count for plan --pareto alone: what is compiled computes in the model's own/,
  );
});

test('a budget ends the search', async () => {
  const { chosen } = json(await plan('--policy', 'hybrid', '--budget', '0.2s', '--json'));
  assert.is(chosen, 'hybrid');
});

test.run();
