/** Planning time of every policy, for two and more devices; `npm run bench:plan -- densenet121 --devices 2,8`. */
import { join } from 'node:path';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { comparable, isPlanned, judge } from '../../compiler/policies.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { report, temporaryFolder } from './measure.ts';

const at = process.argv.indexOf('--devices');
const sizes = (at < 0 ? '2,8' : process.argv[at + 1]!).split(',').map(Number);

/** Ever faster devices, the first of which has the inputs; every two joined. */
function clusterOf(size: number): Cluster {
  const names = Array.from({ length: size }, (_, i) => `d${i}`);
  return parseCluster({
    devices: Object.fromEntries(names.map((name, i) => [name, { speed: 1 + 0.5 * i }])),
    links: names.flatMap((a, i) =>
      names.slice(i + 1).map((b) => ({ between: [a, b], bandwidth: '1 Gbit/s', latency: '0.2 ms' })),
    ),
  });
}

/** Seconds that a user waits, and those of the processor: other work on this machine counts little there, V8's and the solver's threads do. */
async function timed<T>(work: () => Promise<T>): Promise<{ seconds: number; processor: number; result: T }> {
  const [begin, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - begin) / 1e3, processor: (user + system) / 1e6, result };
}

const words = process.argv.slice(2).filter((word) => word in zoo);
const names = words.length > 0 ? words : ['squeezenet', 'resnet50', 'densenet121', 'convnext-l'];
const folder = temporaryFolder();
const rows = [];
for (const name of names) {
  const model = join(folder, `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
  const program = await importModel(model);
  const operators = cutsOf(program).operators.size;
  for (const size of sizes) {
    const cluster = clusterOf(size);
    const row: Record<string, string | number> = { model: name, operators, devices: size };
    let [all, busy] = [0, 0];
    for (const policy of comparable(program)) {
      const { seconds, processor, result } = await timed(() => judge(program, cluster, policy));
      row[policy] = isPlanned(result) ? seconds : `${seconds.toFixed(2)} (${result.error.code})`;
      all += seconds;
      busy += processor;
    }
    rows.push({ ...row, all, 'processor, s': busy, 'ms an operator': (1e3 * all) / operators });
    process.stderr.write(`${name}, ${size} devices: ${all.toFixed(1)} s, ${busy.toFixed(1)} s of the processor\n`);
  }
}
report(
  rows,
  'seconds to plan, lower and simulate; aim for all: 5 with two devices, 20 with eight; processor: with V8 compiling and the solver, on other cores',
);
