/** Streams inferences for a long time and watches memory: `npm run bench:soak -- squeezenet --minutes 30`. */
import { join } from 'node:path';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { openBundle } from '../../runtime/index.ts';
import { flag, report, temporaryFolder } from './measure.ts';
import { growth, throughput } from './streaming.ts';

const minutes = flag('--minutes', 30);
const IN_FLIGHT = 4;
const SAMPLES_A_MINUTE = 6;

const cluster = parseCluster({
  devices: { left: { threads: 1 }, right: { threads: 1 } },
  links: [{ between: ['left', 'right'], bandwidth: '8 Gbit/s', latency: '0.1 ms' }],
});
const [name = 'squeezenet'] = process.argv.slice(2).filter((word) => word in zoo);
const folder = temporaryFolder();
const model = join(folder, `${name}.onnx`);
const output = join(folder, 'build');
writeModel(zoo[name]!.build({ batch: 1, sequence: 128 }), model);
await compile({ model, cluster, policy: 'spatial', output });
const bundle = await openBundle(output);
const rate = await throughput(bundle, 50, IN_FLIGHT);
const step = Math.ceil((rate * 60) / SAMPLES_A_MINUTE);
const end = Date.now() + minutes * 60e3;
const memory = await growth(bundle, step, IN_FLIGHT, (samples) => samples < 4 || Date.now() < end);
const inferences = Math.max(...Object.values(await bundle.stats()).map(({ segments }) => segments[0]?.runs ?? 0));
await bundle.close();
report(
  [{ model: name, minutes, inferences, 'resident memory': memory }],
  `rows shared by two processes, ${IN_FLIGHT} in flight`,
);
