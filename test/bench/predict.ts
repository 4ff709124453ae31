/**
 * Predicted against measured: two devices with a core each and a shaped link are profiled, then plans run as two processes on them.
 * `npm run bench:predict -- resnet50 --rounds 9 --block 1 --budget 60 --mbit 1000`, with --transport-shaping as without root.
 */
import { join } from 'node:path';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { alone, hosts, LEFT, linkOf, measuredCluster, measuredRates, pair, type Rates } from './left-and-right.ts';
import { type Block, flag, inTurn, over, report, say, spread, temporaryFolder } from './measure.ts';
import { openTestbed } from './testbed/open-testbed.ts';
import type { Testbed } from './testbed/testbed.ts';

const rounds = flag('--rounds', 9);
/** Seconds. */
const block = flag('--block', 1);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 120);
const megabits = flag('--mbit', 1000);
const WHOLE = 'whole';

/** An operator in the middle, after which a model is cut. */
async function middle(model: string): Promise<string> {
  const { operators, constants } = cutsOf(await importModel(model));
  const planned = [...operators.keys()].filter((operator) => !constants.has(operator));
  return planned[Math.floor(planned.length / 2)]!;
}

/** A build of a model for each policy, and what it is predicted to take. */
async function buildsOf(testbed: Testbed, name: string, rates: Rates) {
  const model = join(folder, `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  say(`${name}: profiles`);
  const cluster = await measuredCluster(testbed, model, rates, folder, budget);
  const policies = {
    [WHOLE]: `whole:${LEFT}`,
    cut: `cut:${await middle(model)}`,
    spatial: 'spatial',
    hybrid: 'hybrid',
  };
  const builds = [];
  for (const [policy, asked] of Object.entries(policies)) {
    const output = join(folder, `${name}-${policy}`);
    // A device that does it all runs alone.
    const devices = policy === WHOLE ? { ...cluster, devices: cluster.devices.slice(0, 1), links: [] } : cluster;
    const { schedule } = await compile({ model, cluster: devices, policy: asked, output });
    const sessions = schedule.devices.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'segment')).length;
    builds.push({ policy, output, sessions, predicted: 1e3 * schedule.makespan });
  }
  return builds;
}

async function measure(testbed: Testbed, name: string, rates: Rates) {
  const builds = await buildsOf(testbed, name, rates);
  say(`${name}: inferences`);
  const running = await Promise.all(
    builds.map(async ({ policy, output }, i) =>
      policy === WHOLE ? [await alone(testbed, output, 1)] : pair(testbed, output, { port: 7000 + i }),
    ),
  );
  const blocks: Record<string, Block> = Object.fromEntries(
    builds.map(({ policy }, i) => [policy, running[i]![0]!.block]),
  );
  const all = await inTurn(blocks, rounds, block);
  await Promise.all(running.flat().map((each) => each.end()));
  return builds.map(({ policy, sessions, predicted }) => {
    const measured = over(all, (round) => round[policy]!);
    return {
      model: name,
      policy,
      sessions,
      'predicted, ms': predicted,
      'measured, ms': spread(measured),
      'error, %': 100 * (predicted / measured.median - 1),
    };
  });
}

const chosen = process.argv.slice(2).filter((word) => word in zoo);
const names = chosen.length > 0 ? chosen : ['resnet50', 'vgg19', 'efficientnet-b0', 'densenet121'];
const folder = temporaryFolder();
const testbed = openTestbed({ hosts, links: [linkOf(megabits)] });
try {
  const { rates, text } = await measuredRates(testbed);
  say(`the link has ${text}`);
  const rows = [];
  for (const name of names) rows.push(...(await measure(testbed, name, rates)));
  const shared = rows.filter(({ policy }) => policy !== WHOLE);
  const mean = shared.reduce((sum, row) => sum + Math.abs(row['error, %']), 0) / shared.length;
  report(
    rows,
    `one core each, the link has ${text}; measured: median (quartiles) of ${rounds} rounds of blocks of ${block} s in turn; mean absolute error of cut, spatial and hybrid ${mean.toFixed(1)} %, aim: 10 and less; ${testbed.note}`,
  );
} finally {
  testbed.close();
}
