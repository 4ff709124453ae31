/**
 * Robot and server as two hosts of this machine with a shaped link: every policy predicted and measured with the same runtime.
 * `npm run bench:hybrid -- resnet50 vgg19 --bandwidths 25,93 --rounds 10`, with --transport-shaping as it is without root.
 */
import { join } from 'node:path';
import type { Cluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { best, comparable, isPlanned, type Judged, judge, type Planned } from '../../compiler/policies.ts';
import { detectorFile } from '../../fixtures/demo/text-detect.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { flag, report, temporaryFolder } from './measure.ts';
import { clusterOf, ROBOT, SERVER } from './robot-and-server.ts';
import { measuredLink } from './testbed/measured-link.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import { latencyOf } from './testbed/run-bundle.ts';
import type { Testbed } from './testbed/testbed.ts';

/** Of a core. */
const SPEED = 0.2;
const DETECTOR = 'text-detector';
const BASELINES = ['local', 'offload', 'cut'];
const DEVICES = [ROBOT, SERVER] as const;
const rounds = flag('--rounds', 10);
const budget = flag('--budget', 120);
const at = process.argv.indexOf('--bandwidths');
/** Mbit/s */
const bandwidths = (at < 0 ? '25,93,250,1000' : process.argv[at + 1]!).split(',').map(Number);

interface Source {
  readonly name: string;
  readonly model: string;
  readonly dims: Readonly<Record<string, number>>;
}

/** Writes a zoo model; the text detector is there already. */
function sourceOf(name: string): Source {
  if (name === DETECTOR) return { name, model: detectorFile, dims: { 'x:2': 480, 'x:3': 640 } };
  const model = join(folder, `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  return { name, model, dims: {} };
}

/** One row a bandwidth: what each policy was predicted to take, and what it took. */
async function rowsOf(testbed: Testbed, links: readonly Awaited<ReturnType<typeof measuredLink>>[], name: string) {
  const source = sourceOf(name);
  const program = await importModel(source.model, source);
  const { profile } = await measureDevice([program], { threads: 1, budget, progress: () => {} });
  const rows = [];
  for (const [i, megabits] of bandwidths.entries()) {
    const { bandwidth, latency } = links[i]!;
    testbed.setBandwidth(0, (megabits * 1e6) / 8);
    const cluster = clusterOf(testbed, profile, { bandwidth, latency });
    rows.push(await rowOf(testbed, cluster, program, source, megabits));
  }
  return rows;
}

async function rowOf(
  testbed: Testbed,
  cluster: Cluster,
  program: Program<'imported'>,
  { name, model, dims }: Source,
  megabits: number,
) {
  const judged: Judged[] = [];
  for (const policy of comparable(program)) judged.push(await judge(program, cluster, policy));
  const planned = judged.filter(isPlanned);
  const auto = best(cluster, planned);
  const wanted = planned.filter((one) => BASELINES.includes(one.policy) || one.policy === 'hybrid' || one === auto);
  const measured = new Map<string, number>();
  const keyOf = ({ plan }: Planned) => JSON.stringify(plan.operators);
  for (const one of wanted) {
    if (measured.has(keyOf(one))) continue;
    const output = join(folder, `${name}-build`);
    await compile({ model, dims, cluster, plan: one.plan, output });
    const { median } = await latencyOf(testbed, output, DEVICES, program.inputs, rounds);
    measured.set(keyOf(one), median);
    process.stderr.write(
      `${name} ${megabits} Mbit/s ${one.policy}: ${(one.schedule.makespan * 1e3).toFixed(1)} predicted, ${median.toFixed(1)} measured\n`,
    );
  }
  const of = (one: Planned) => measured.get(keyOf(one))!;
  const named = (policy: string) => planned.find((one) => one.policy === policy);
  const baselines = wanted.filter(({ policy }) => BASELINES.includes(policy));
  const errors = wanted.map((one) => Math.abs((one.schedule.makespan * 1e3) / of(one) - 1));
  const cell = (policy: string) => {
    const one = named(policy);
    return one ? `${of(one).toFixed(1)} (${(one.schedule.makespan * 1e3).toFixed(1)})` : '-';
  };
  const cut = named('cut');
  return {
    model: name,
    'Mbit/s': megabits,
    local: cell('local'),
    offload: cell('offload'),
    cut: cell('cut'),
    hybrid: cell('hybrid'),
    auto: auto.policy,
    'auto ÷ best baseline': of(auto) / Math.min(...baselines.map(of)),
    'less than cut, %': cut ? 100 * (1 - of(auto) / of(cut)) : Number.NaN,
    'predicted less, %': cut ? 100 * (1 - auto.schedule.makespan / cut.schedule.makespan) : Number.NaN,
    'error, %': (100 * errors.reduce((a, b) => a + b, 0)) / errors.length,
  };
}

const folder = temporaryFolder();
const words = process.argv.slice(2).filter((word) => word in zoo || word === DETECTOR);
const names = words.length > 0 ? words : ['vgg19', 'resnet50', 'densenet121', 'convnext-t', DETECTOR];
const testbed = openTestbed({
  hosts: [
    { name: ROBOT, cpu: SPEED },
    { name: SERVER, cpu: 1 },
  ],
  links: [{ between: DEVICES, bandwidth: (bandwidths[0]! * 1e6) / 8 }],
});
try {
  const links = [];
  for (const megabits of bandwidths) {
    testbed.setBandwidth(0, (megabits * 1e6) / 8);
    const link = await measuredLink(testbed, DEVICES);
    process.stderr.write(
      `${megabits} Mbit/s: ${((link.bandwidth * 8) / 1e6).toFixed(1)} carried, ${(link.latency * 1e3).toFixed(2)} ms\n`,
    );
    links.push(link);
  }
  const rows = [];
  for (const name of names) {
    rows.push(...(await rowsOf(testbed, links, name)));
  }
  const mean = rows.reduce((sum, row) => sum + row['error, %'], 0) / rows.length;
  report(
    rows,
    `measured (predicted), ms, medians of ${rounds}; mean absolute error ${mean.toFixed(1)} %, aim: 10 and less; auto ÷ best baseline, aim: 1.03 and less; ${testbed.note}`,
  );
} finally {
  testbed.close();
}
