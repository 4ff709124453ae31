/**
 * Robot and server as two hosts of this machine with a shaped link: every policy predicted and measured with the same runtime.
 * `npm run bench:hybrid -- resnet50 vgg19 --bandwidths 25,93 --rounds 7 --block 1 --budget 60`, with --transport-shaping as it is without root.
 */
import { join } from 'node:path';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { best, comparable, isPlanned, type Judged, judge, type Planned } from '../../compiler/policies.ts';
import { detectorFile } from '../../fixtures/demo/text-detect.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { type Block, flag, inTurn, over, report, say, spread, temporaryFolder } from './measure.ts';
import { aloneOf, pairOf } from './pair.ts';
import { clusterOf, ROBOT, SERVER } from './robot-and-server.ts';
import { linkText, type MeasuredLink, measuredLink } from './testbed/measured-link.ts';
import { measuredProfiles } from './testbed/measured-profiles.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Testbed } from './testbed/testbed.ts';

/** Of a core. */
const SPEED = 0.2;
const DETECTOR = 'text-detector';
const BASELINES = ['local', 'offload', 'cut'];
const DEVICES = [ROBOT, SERVER] as const;
const rounds = flag('--rounds', 7);
/** Seconds. */
const block = flag('--block', 1);
/** The most seconds that profiling one model may take. */
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

/** Of the server's speed with this model: a quota costs more than what it takes away, as the caches are others' meanwhile. */
async function robotShare(testbed: Testbed, { name, model, dims }: Source): Promise<number> {
  const output = join(folder, `${name}-alone`);
  await compile({ model, dims, cluster: parseCluster({ devices: { [ROBOT]: { threads: 1 } } }), output });
  const hosts = await Promise.all(DEVICES.map((host) => aloneOf(testbed, output, ROBOT, 1, host)));
  const all = await inTurn({ robot: hosts[0]!.block, server: hosts[1]!.block }, 5, block);
  await Promise.all(hosts.map((host) => host.end()));
  return over(all, (round) => round.server / round.robot).median;
}

/** One row a bandwidth: what each policy was predicted to take, and what it took. */
async function rowsOf(testbed: Testbed, links: readonly MeasuredLink[], name: string) {
  const source = sourceOf(name);
  const program = await importModel(source.model, source);
  say(`${name}: a profile`);
  const [profile] = await measuredProfiles(testbed, [SERVER], source.model, folder, budget, source.dims);
  const share = await robotShare(testbed, source);
  say(`${name}: the robot has ${share.toFixed(3)} of the server's speed`);
  const rows = [];
  for (const [i, megabits] of bandwidths.entries()) {
    testbed.setBandwidth(0, (megabits * 1e6) / 8);
    const cluster = clusterOf({ share: (host) => (host === ROBOT ? share : 1) }, profile!, links[i]!);
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
  const all = await timesOf(testbed, wanted, { name, model, dims, cluster });
  say(`${name}, ${megabits} Mbit/s: done`);
  const of = (one: Planned) => over(all, (round) => round[keyOf(one)]!);
  const named = (policy: string) => planned.find((one) => one.policy === policy);
  const cell = (policy: string) => {
    const one = named(policy);
    return one ? `${spread(of(one))}; ${(1e3 * one.schedule.makespan).toFixed(1)}` : '-';
  };
  const baselines = wanted.filter(({ policy }) => BASELINES.includes(policy));
  const baseline = baselines.reduce((a, b) => (of(b).median < of(a).median ? b : a));
  const ratio = (one: Planned, other: Planned) => over(all, (round) => round[keyOf(one)]! / round[keyOf(other)]!);
  const errors = wanted.map((one) => Math.abs((1e3 * one.schedule.makespan) / of(one).median - 1));
  const cut = named('cut');
  return {
    model: name,
    'Mbit/s': megabits,
    ...Object.fromEntries([...BASELINES, 'hybrid'].map((policy) => [policy, cell(policy)])),
    auto: auto.policy,
    'auto ÷ best baseline': spread(ratio(auto, baseline), 2),
    'less than cut, %': cut ? 100 * (1 - ratio(auto, cut).median) : Number.NaN,
    'predicted less, %': cut ? 100 * (1 - auto.schedule.makespan / cut.schedule.makespan) : Number.NaN,
    'error, %': (100 * errors.reduce((a, b) => a + b, 0)) / errors.length,
  };
}

/** Plans that are the same under two names are measured once. */
const keyOf = ({ plan }: Planned): string => JSON.stringify(plan.operators);

/** Milliseconds of every plan in every round. */
async function timesOf(
  testbed: Testbed,
  wanted: readonly Planned[],
  { name, model, dims, cluster }: Source & { readonly cluster: Cluster },
) {
  const blocks: Record<string, Block> = {};
  const running = [];
  for (const [i, [key, { plan }]] of [...new Map(wanted.map((one) => [keyOf(one), one]))].entries()) {
    const output = join(folder, `${name}-${i}`);
    await compile({ model, dims, cluster, plan, output });
    const pair = await pairOf(testbed, output, DEVICES, { port: 7000 + i });
    running.push(...pair);
    blocks[key] = pair[0].block;
  }
  const all = await inTurn(blocks, rounds, block);
  await Promise.all(running.map((each) => each.end()));
  return all;
}

const folder = temporaryFolder();
const words = process.argv.slice(2).filter((word) => word in zoo || word === DETECTOR);
const names = words.length > 0 ? words : ['vgg19', 'resnet50', 'densenet121', 'convnext-t', DETECTOR];
const testbed = openTestbed({
  hosts: [
    // A core each: on one that they share, a robot's fifth would be the server's loss.
    { name: ROBOT, cpu: SPEED, cores: [0] },
    { name: SERVER, cores: [1] },
  ],
  links: [{ between: DEVICES, bandwidth: (bandwidths[0]! * 1e6) / 8 }],
});
try {
  const links = [];
  for (const megabits of bandwidths) {
    testbed.setBandwidth(0, (megabits * 1e6) / 8);
    const link = await measuredLink(testbed, DEVICES);
    say(`${megabits} Mbit/s: carries ${linkText(link)}`);
    links.push(link);
  }
  const rows = [];
  for (const name of names) {
    rows.push(...(await rowsOf(testbed, links, name)));
  }
  const mean = rows.reduce((sum, row) => sum + row['error, %'], 0) / rows.length;
  report(
    rows,
    `measured, median (quartiles) of ${rounds} rounds of blocks of ${block} s in turn; predicted, ms; mean absolute error ${mean.toFixed(1)} %, aim: 10 and less; auto ÷ best baseline, aim: 1.03 and less; ${testbed.note}`,
  );
} finally {
  testbed.close();
}
