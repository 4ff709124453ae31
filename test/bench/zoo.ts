/**
 * Every zoo model, in float32, float16 and 8 bits, split by rows, by channels (heads, hidden units), by reductions, over 2, 3
 * and 4 devices: outputs against onnxruntime's. Words choose models, splits and numbers: `npm run bench:zoo -- lenet qdq`.
 */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { verifyBuild } from '../../compiler/cli/verify-command.ts';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { halfTolerance, tolerance } from '../../compiler/compare.ts';
import { compile } from '../../compiler/compile.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { type Numbers, withNumbers, zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { splitOperators } from '../conformance/split-count.ts';
import { channels, heads, type Prefer, reductions, splitEverything } from '../conformance/split-everything.ts';
import { flag, report, temporaryFolder } from './measure.ts';

/** Uneven speeds, every pair linked. */
function clusterOf(size: number): Cluster {
  const names = ['a', 'b', 'c', 'd'].slice(0, size);
  const pairs = names.flatMap((a, i) => names.slice(i + 1).map((b) => [a, b]));
  return parseCluster({
    devices: Object.fromEntries(names.map((name, i) => [name, { speed: 1 + 0.6 * i }])),
    links: pairs.map((between) => ({ between, bandwidth: '1 Gbit/s', latency: '0.2 ms' })),
    outputs: names.at(-1),
  });
}

/** Attention heads of the models that have any. */
const HEADS: Readonly<Record<string, number>> = { 'bert-base': 12, gpt2: 12, 'vit-b16': 12 };
const HIDDEN = new Set(['gru', 'lstm']);
const NUMBERS: Readonly<Record<string, Numbers>> = {
  float32: {},
  float16: { dtype: 'float16' },
  qdq: { quantize: 'qdq' },
  qlinear: { quantize: 'qlinear' },
};

type PlanOf = (program: Program<'imported'>, cluster: Cluster) => Plan | Promise<Plan>;
const everything =
  (turn: number, prefer: Prefer): PlanOf =>
  (program, cluster) =>
    splitEverything(program, cluster, turn, prefer);

const splitsOf = (name: string): Readonly<Record<string, PlanOf>> => ({
  spatial: (program, cluster) => makePlan(program, cluster, 'spatial'),
  [HEADS[name] ? 'heads' : HIDDEN.has(name) ? 'hidden' : 'channel']: everything(
    0,
    HEADS[name] ? heads(HEADS[name]) : channels,
  ),
  reduction: everything(1, reductions),
});

const folder = temporaryFolder();
const model = join(folder, 'model.onnx');
const output = join(folder, 'build');
const most = flag('--most-mb', 2000) * 1e6;
const words = process.argv.slice(2);
/** Those that were asked for; all if none was. */
function chosen(all: readonly string[]): string[] {
  const asked = all.filter((word) => words.includes(word));
  return asked.length > 0 ? asked : [...all];
}

/** The largest difference relative to the output's largest value, and how many operators were split at least. */
async function rowOf(planOf: PlanOf): Promise<Record<string, string>> {
  const imported = await importModel(model);
  const planned = cutsOf(imported).operators.size - cutsOf(imported).onDemand.size;
  const row: Record<string, string> = {};
  let split = planned;
  for (const size of [2, 3, 4]) {
    const cluster = clusterOf(size);
    const { schedule } = await compile({ model, cluster, plan: await planOf(imported, cluster), output });
    const compared = await verifyBuild(output, model, { input: ['random'], transport: 'memory' });
    const worst = Math.max(...compared.map(({ maxRel }) => maxRel));
    const text = worst === 0 ? '0' : worst.toExponential(1);
    row[`${size} devices`] = compared.every(({ ok }) => ok) ? text : `WRONG ${text}`;
    split = Math.min(split, splitOperators(schedule.program, imported).size);
  }
  return { operators: String(planned), split: String(split), ...row };
}

const rows: Record<string, string>[] = [];
for (const name of chosen(Object.keys(zoo))) {
  for (const numbers of chosen(Object.keys(NUMBERS))) {
    writeModel(withNumbers(zoo[name]!.build({ batch: 1, sequence: 16, past: 4 }), NUMBERS[numbers]!), model);
    if (statSync(model).size > most) {
      console.log(`skipped: ${name} ${numbers} has more than --most-mb`);
      continue;
    }
    const splits = splitsOf(name);
    for (const by of chosen(Object.keys(splits))) {
      const row = { model: name, numbers, by, ...(await rowOf(splits[by]!)) };
      rows.push(row);
      console.error(Object.values(row).join('  '));
    }
    rmSync(model);
  }
}
const cells = rows.flatMap((row) =>
  Object.entries(row).flatMap(([key, text]) => (key.endsWith('devices') ? text : [])),
);
const wrong = cells.filter((text) => text.startsWith('WRONG')).length;
const exact = cells.filter((text) => text === '0').length;
report(
  rows,
  `largest difference relative to the output's largest value; rtol ${tolerance.rtol}, atol ${tolerance.atol}, ` +
    `float16 rtol ${halfTolerance.rtol}, atol ${halfTolerance.atol}, or twice onnxruntime's own spread`,
);
console.log(`${cells.length - wrong} passed, ${exact} of them bit for bit, ${wrong} failed`);
if (wrong > 0 || rows.length === 0) process.exitCode = 1;
