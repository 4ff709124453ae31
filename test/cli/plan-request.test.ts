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
  'a range that is none': [['--bandwidth', '7'], 'flag', /no range/],
};
for (const [what, [args, code, message]] of Object.entries(refused)) {
  test(`refused: ${what}`, async () => assertRefused(await plan(...args), code, message));
}

test('a budget ends the search', async () => {
  const { chosen } = json(await plan('--policy', 'hybrid', '--budget', '0.2s', '--json'));
  assert.is(chosen, 'hybrid');
});

test.run();
