/** Predicted against measured: this machine is profiled with one thread and core, then plans run as two processes with one each. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../../compiler/compile.ts';
import { measureDevice } from '../../compiler/measure/measure.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle, randomTensor } from '../../runtime/index.ts';
import { flag, report, type Summary, spread, summarise, temporaryFolder } from './measure.ts';
import { clusterOf, link, type Rates } from './this-machine.ts';

const rounds = flag('--rounds', 30);
/** ms between two inferences. */
const pause = flag('--pause', 0);
/** The most seconds that profiling one model may take. */
const budget = flag('--budget', 300);
const WARM_UP = 5;

/** Milliseconds of inferences of a build, as two processes. */
async function run(build: string): Promise<Summary> {
  const bundle = await openBundle(build, { transport: 'tcp' });
  const inputs = Object.fromEntries(bundle.inputs.map((spec) => [spec.name, randomTensor(spec, 1)]));
  const times: number[] = [];
  for (let round = -WARM_UP; round < rounds; round++) {
    const { ms } = await bundle.infer(inputs);
    if (round >= 0) times.push(ms);
    if (pause > 0) await sleep(pause);
  }
  await bundle.close();
  return summarise(times);
}

async function measure(name: string, folder: string, rates: Rates) {
  const model = join(folder, `${name}.onnx`);
  const output = join(folder, name);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  const program = await importModel(model);
  // Just before it is needed: the clock of a shared machine drifts.
  const { profile } = await measureDevice([program], { threads: 1, cores: 1, budget, progress: () => {} });
  const cluster = clusterOf(profile, rates);
  const { operators, constants } = cutsOf(program);
  const planned = [...operators.keys()].filter((operator) => !constants.has(operator));
  const rows = [];
  for (const policy of ['whole:left', `cut:${planned[Math.floor(planned.length / 2)]}`, 'spatial', 'hybrid']) {
    const { schedule } = await compile({ model, cluster, policy, output });
    const predicted = 1e3 * schedule.makespan;
    const measured = await run(output);
    rows.push({
      model: name,
      policy: policy.split(':')[0]!,
      sessions: schedule.devices.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'segment')).length,
      'predicted, ms': predicted,
      'measured, ms': spread(measured),
      'error, %': 100 * (predicted / measured.median - 1),
    });
  }
  return rows;
}

const chosen = process.argv.slice(2).filter((word) => word in zoo);
const names = chosen.length > 0 ? chosen : ['resnet50', 'vgg19', 'efficientnet-b0', 'densenet121'];
const folder = temporaryFolder();
const rates = await link();
const rows = [];
for (const name of names) rows.push(...(await measure(name, folder, rates)));
const shared = rows.filter(({ policy }) => policy !== 'whole');
const mean = shared.reduce((sum, row) => sum + Math.abs(row['error, %']), 0) / shared.length;
report(
  rows,
  `measured: median (quartiles) of ${rounds}; link ${rates.bandwidth}, ${rates.latency}; mean absolute error of cut, spatial and hybrid ${mean.toFixed(1)} %, aim: 10 and less`,
);
