/** What a device's folder holds: only its own slices, segments that stand alone, a digest of every file. */
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { eraseTypes } from '../../codegen/program-source.ts';
import { compile } from '../../compiler/compile.ts';
import { decodeModel, toNumber } from '../../compiler/onnx/proto.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { encodeModel } from '../../fixtures/zoo/write.ts';
import type { DeviceManifest } from '../../runtime/manifest.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, imported, modelFile, planOf } from '../support/imported.ts';

const test = suite('bundle');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 1 });
const build = work.path('build');

/** fc1's columns 0:80 and their weights on a, 80:128 on b; fc2 and fc3 on b. */
test.before(async () => {
  const program = await imported('mlp');
  const columns = [
    { device: 'a', region: '[:,0:80]' },
    { device: 'b', region: '[:,80:128]' },
  ];
  const plan = planOf(program, { fc1: columns, relu1: columns }, 'b');
  await compile({ model: modelFile('mlp'), cluster, plan, output: build });
});

const manifestOf = (folder: string, device: string): DeviceManifest =>
  JSON.parse(readFileSync(join(folder, device, 'device.json'), 'utf8'));
const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** External data of a device's segments, by weight's name. */
function externalOf(folder: string, device: string) {
  const { segments } = manifestOf(folder, device);
  const initializers = segments.flatMap(
    ({ file }) => decodeModel(readFileSync(join(folder, device, file))).graph!.initializer,
  );
  return initializers.flatMap(({ name, dims, externalData }) => {
    const entries = Object.fromEntries(externalData.map(({ key, value }) => [key, value]));
    const span = { offset: Number(entries.offset), length: Number(entries.length) };
    return externalData.length > 0 ? [{ name, dims: dims.map(toNumber), location: entries.location, ...span }] : [];
  });
}

test('device.json has the sha256 of every other file, and there are no others', () => {
  for (const device of ['a', 'b']) {
    const folder = join(build, device);
    const digests = manifestOf(build, device).files;
    const expected = [...Object.keys(digests), 'device.json'].map((name) => join(folder, name));
    assert.equal(files(folder).sort(), expected.sort());
    for (const [name, digest] of Object.entries(digests)) {
      assert.is(
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
        digest,
        name,
      );
    }
  }
});

test('weights.bin holds only the slices the device needs, as the model has them', () => {
  const [a, b] = ['a', 'b'].map((device) => externalOf(build, device));
  assert.equal(
    a!.map(({ name, dims }) => [name, dims]),
    [['fc1.weight[0:80,:]', [80, 64]]],
  );
  assert.equal(b!.map(({ name, dims }) => [name, dims]).sort(), [
    ['fc1.weight[80:128,:]', [48, 64]],
    ['fc2.weight', [96, 128]],
    ['fc3.weight', [10, 96]],
  ]);
  const model = readFileSync(modelFile('mlp'));
  const whole = (name: string) =>
    Buffer.from(decodeModel(model).graph!.initializer.find((one) => one.name === name)!.rawData);
  const stored = (
    { location, offset, length }: { location: string | undefined; offset: number; length: number },
    device: string,
  ) => readFileSync(join(build, device, 'segments', location!)).subarray(offset, offset + length);
  assert.ok(stored(a![0]!, 'a').equals(whole('fc1.weight').subarray(0, 80 * 256)));
  const rest = b!.find(({ name }) => name.startsWith('fc1'))!;
  assert.ok(stored(rest, 'b').equals(whole('fc1.weight').subarray(80 * 256)));
  const size = readFileSync(join(build, 'a', 'segments', 'weights.bin')).length;
  assert.is(size, 80 * 64 * 4);
});

test('each segment is an ONNX model that stands alone, of the inputs and outputs that device.json says', async () => {
  for (const device of ['a', 'b']) {
    for (const { file, inputs, outputs } of manifestOf(build, device).segments) {
      const session = await ort.InferenceSession.create(join(build, device, file), { intraOpNumThreads: 1 });
      const said = (metadata: readonly ort.InferenceSession.ValueMetadata[]) =>
        metadata.map((one) => (one.isTensor ? { name: one.name, dtype: one.type, shape: [...one.shape] } : one));
      assert.equal([said(session.inputMetadata), said(session.outputMetadata)], [inputs, outputs], `${device}/${file}`);
      await session.release();
    }
  }
});

test('device.json says how onnxruntime is to be set up on that device', async () => {
  const devices = cluster.devices.map((device) =>
    device.name === 'b' ? { ...device, threads: 2, providers: ['cuda', 'cpu'] } : device,
  );
  await compile({
    model: modelFile('mlp'),
    cluster: { ...cluster, devices },
    policy: 'cut:fc2',
    output: work.path('providers'),
  });
  const said = ['a', 'b'].map((device) => manifestOf(work.path('providers'), device));
  assert.equal(
    said.map(({ threads, providers }) => [threads, providers]),
    [
      [null, undefined],
      [2, ['cuda', 'cpu']],
    ],
  );
  const skips = ['a', 'b'].map((device) => readFileSync(work.path(`providers/${device}/.npmrc`), 'utf8') !== '');
  assert.equal(skips, [true, false], 'the download of what cuda needs');
});

test('the same content is stored once', async () => {
  const g = new Builder('twins');
  const weight = (name: string) =>
    g.constant(name, 'float32', [64, 64], { kind: 'values', values: Array.from({ length: 4096 }, (_, i) => i / 4096) });
  const shape = [1, 64];
  const product = (input: Parameters<Builder['node']>[1][number], name: string) =>
    g.node('MatMul', [input, weight(`${name}.weight`)], { dtype: 'float32', shape }, { name });
  g.output(product(product(g.input('x', shape), 'first'), 'second'), 'y');
  const model = work.write('twins.onnx', encodeModel(g.finish()));
  await compile({ model, cluster, policy: 'whole:a', output: work.path('twins') });
  const [first, second] = externalOf(work.path('twins'), 'a');
  assert.not(first!.name === second!.name);
  assert.is(first!.offset, second!.offset);
  assert.is(readFileSync(work.path('twins/a/segments/weights.bin')).length, 64 * 64 * 4);
});

test('package.json installs what the program needs, and nothing of the compiler', () => {
  const { type, scripts, dependencies, engines } = JSON.parse(readFileSync(join(build, 'a', 'package.json'), 'utf8'));
  assert.equal([type, scripts.start, engines.node], ['module', 'node main.js', '>=20']);
  assert.equal(Object.keys(dependencies).sort(), ['onnxruntime-node', 'zeromq']);
  for (const version of Object.values(dependencies)) assert.match(String(version), /^\d+\.\d+\.\d+$/);
  for (const name of ['main.js', 'program.js', 'runtime.js']) {
    const imports = [
      ...readFileSync(join(build, 'a', name), 'utf8').matchAll(/^import .*?from ['"]([^'"]+)['"];?$/gms),
    ];
    for (const [, from] of imports)
      assert.ok(/^(node:|\.\/|onnxruntime-node$|zeromq$)/.test(from!), `${name} imports ${from}`);
  }
});

test('program.js is program.ts without its types', () => {
  for (const device of ['a', 'b']) {
    const source = readFileSync(join(build, device, 'program.ts'), 'utf8');
    assert.is(readFileSync(join(build, device, 'program.js'), 'utf8'), eraseTypes(source));
  }
});

test('the same model makes the same build, wherever it lies', async () => {
  mkdirSync(work.path('elsewhere'));
  copyFileSync(modelFile('mlp'), work.path('elsewhere/mlp.onnx'));
  const builds = [modelFile('mlp'), work.path('elsewhere/mlp.onnx')];
  const outputs = builds.map((_, i) => work.path(`same${i}`));
  for (const [i, model] of builds.entries()) await compile({ model, cluster, policy: 'spatial', output: outputs[i]! });
  const [one, other] = outputs.map((folder) =>
    files(folder)
      .map((file) => file.slice(folder.length))
      .sort(),
  );
  assert.equal(one, other);
  for (const name of one!) {
    assert.ok(readFileSync(join(outputs[0]!, name)).equals(readFileSync(join(outputs[1]!, name))), name);
  }
});

test('the same model makes the same build again', async () => {
  const outputs = ['once', 'again'].map((name) => work.path(name));
  for (const output of outputs) await compile({ model: modelFile('mlp'), cluster, policy: 'spatial', output });
  const [one, other] = outputs.map((folder) => readFileSync(join(folder, 'bundle.json'), 'utf8'));
  assert.is(one, other);
});

test.run();
