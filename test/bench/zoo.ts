/** Every zoo model split by rows, by channels (heads, hidden units), by reductions, over 2, 3 and 4 devices: outputs against onnxruntime's. */
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { verifyBuild } from '../../compiler/cli/verify-command.ts';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { tolerance } from '../../compiler/compare.ts';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { channels, reductions, splitEverything } from '../conformance/split-everything.ts';
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

type Program = Awaited<ReturnType<typeof importModel>>;
const splits: Record<string, (program: Program, cluster: Cluster) => Plan> = {
  spatial: (program, cluster) => makePlan(program, cluster, 'spatial'),
  channel: (program, cluster) => splitEverything(program, cluster, 0, channels).plan,
  reduction: (program, cluster) => splitEverything(program, cluster, 1, reductions).plan,
};

const folder = temporaryFolder();
const model = join(folder, 'model.onnx');
const output = join(folder, 'build');
const chosen = process.argv.slice(2).filter((word) => word in zoo);
const most = flag('--most-mb', 2000) * 1e6;
const rows: Record<string, string | number>[] = [];
for (const [name, { build }] of Object.entries(zoo)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  writeModel(build({ batch: 1, sequence: 16, past: 4 }), model);
  if (statSync(model).size > most) {
    console.log(`skipped: ${name} has more than --most-mb`);
    continue;
  }
  const imported = await importModel(model);
  for (const [split, planOf] of Object.entries(splits)) {
    const row: Record<string, string | number> = { model: name, split };
    for (const size of [2, 3, 4]) {
      const cluster = clusterOf(size);
      await compile({ model, cluster, plan: planOf(imported, cluster), output });
      const compared = await verifyBuild(output, model, { input: ['random'], transport: 'memory', ...tolerance });
      const worst = Math.max(...compared.map(({ maxRel }) => maxRel)).toExponential(1);
      row[`${size} devices`] = compared.every(({ ok }) => ok) ? worst : `WRONG ${worst}`;
    }
    rows.push(row);
    console.error(Object.values(row).join('  '));
  }
  rmSync(model);
}
const cells = rows.flatMap((row) => Object.entries(row).filter(([key]) => key.endsWith('devices')));
const wrong = cells.filter(([, text]) => String(text).startsWith('WRONG')).length;
report(
  rows,
  `largest difference relative to the output's largest value; rtol ${tolerance.rtol}, atol ${tolerance.atol}`,
);
console.log(`${cells.length - wrong} passed, ${wrong} failed`);
if (wrong > 0 || rows.length === 0) process.exitCode = 1;
