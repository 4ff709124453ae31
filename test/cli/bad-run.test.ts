/** What `run` and `verify` refuse: builds that are damaged or mixed, inputs that do not fit. */

import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { encodeNpy } from '../../runtime/npy.ts';
import type { Tensor } from '../../runtime/program.ts';
import { modelBytes, node, ramp, value } from '../onnx/make.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { errorOf } from '../support/error.ts';
import { modelFile } from '../support/imported.ts';
import { encodeTensor } from '../support/tensor-proto.ts';

const test = suite('bad run');
const work = workFolder();
const model = modelFile('mlp');
const build = work.path('build');
const both = work.path('both');
test.before(async () => {
  await work.compile(model, 'build');
  await work.compile(modelFile('twoInputsThreeOutputs'), 'both');
});

/** A copy of the build, changed. */
function changed(name: string, change: (folder: string) => void): string {
  const folder = work.path(name);
  cpSync(build, folder, { recursive: true });
  change(folder);
  return folder;
}
const run = (folder: string, ...more: string[]) => shardonnx('run', folder, '--transport', 'memory', ...more);

/** What is done to a build; the error's code, and what it says. */
// biome-ignore format: one row a case
const damages: Readonly<Record<string, readonly [(folder: string) => void, string, RegExp]>> = {
  'a segment was altered': [(f) => appendFileSync(join(f, 'a/segments/0.onnx'), 'x'), 'bundle-altered', /a\/segments\/0\.onnx is not the file that was compiled/],
  'the weights were altered': [(f) => appendFileSync(join(f, 'b/segments/weights.bin'), 'x'), 'bundle-altered', /b\/segments\/weights\.bin/],
  'a program was altered': [(f) => appendFileSync(join(f, 'a/program.js'), '// x'), 'bundle-altered', /a\/program\.js/],
  'a file is missing': [(f) => rmSync(join(f, 'b/segments/0.onnx')), 'bundle-altered', /b\/segments\/0\.onnx is missing/],
  'a file was added to the segments': [(f) => writeFileSync(join(f, 'a/segments/extra.onnx'), ''), 'bundle-altered', /extra\.onnx does not belong/],
  'a device is missing': [(f) => rmSync(join(f, 'b'), { recursive: true }), 'bundle-invalid', /device\.json does not exist/],
  'device.json is no JSON': [(f) => writeFileSync(join(f, 'a/device.json'), '{'), 'bundle-invalid', /device\.json is not JSON/],
  'bundle.json is missing': [(f) => rmSync(join(f, 'bundle.json')), 'bundle-invalid', /bundle\.json does not exist/],
};
for (const [i, [what, [change, code, says]]] of Object.entries(damages).entries()) {
  test(what, async () => {
    const folder = changed(`damaged${i}`, change);
    assertRefused(await run(folder), code, says);
    assertRefused(await shardonnx('verify', folder, model), code, says);
  });
}

test('devices of different builds', async () => {
  const other = await work.compile(model, 'other', '--policy', 'cut:fc2');
  const mixed = changed('mixed', (folder) => {
    rmSync(join(folder, 'b'), { recursive: true });
    cpSync(join(other, 'b'), join(folder, 'b'), { recursive: true });
  });
  assertRefused(await run(mixed), 'build-mismatch', /bundle\.json is of build [0-9a-f]{12}, b of build [0-9a-f]{12}/);
  assertRefused(await shardonnx('verify', mixed, model), 'build-mismatch', /copy the folders of one build together/);
});

test('no build at all', async () => {
  assertRefused(await run(work.path('none')), 'bundle-invalid', /bundle\.json does not exist/);
  assertRefused(await run(work.cluster), 'bundle-invalid', /bundle\.json/);
});

const floats = (dims: number[]): Tensor => ({
  type: 'float32',
  dims,
  data: new Float32Array(dims.reduce((a, b) => a * b)),
});
const input = (name: string, bytes: Uint8Array | string) => work.write(name, bytes);
const shape = input('shape.npy', encodeNpy(floats([4, 63])));
const doubles = input('doubles.npy', encodeNpy({ type: 'float64', dims: [4, 64], data: new Float64Array(256) }));
const right = input('right.npy', encodeNpy(floats([4, 64])));
const picture = join(import.meta.dirname, '../../fixtures/images/street.png');

/** Flags; the error's code, and what it says. */
// biome-ignore format: one row a case
const inputs: Readonly<Record<string, readonly [readonly string[], string, RegExp]>> = {
  'an input of another shape': [['-i', shape], 'input-shape', /x.*\[4, ?63\].*\[4, ?64\]/s],
  'an input of another dtype': [['-i', doubles], 'input-dtype', /x.*float64.*float32/s],
  'an input of another shape, as .pb': [['-i', input('shape.pb', encodeTensor(floats([64])))], 'input-shape', /x/],
  'an unknown input name': [['-i', `z=${right}`], 'unknown-input', /no input "z".*takes "x" float32 \[4, 64\]/s],
  'an input file that is not there': [['-i', work.path('none.npy')], 'input', /none\.npy/],
  'an input file of an unknown kind': [['-i', input('x.txt', 'hello')], 'input', /x\.txt: unknown kind/],
  'a damaged .pb': [['-i', input('bad.pb', Uint8Array.from({ length: 64 }, () => 0xff))], 'input', /bad\.pb is damaged/],
  'a damaged .png': [['-i', input('bad.png', 'hello')], 'input', /a picture does not fit|bad\.png is damaged/],
  'a picture for an input that is none': [['-i', picture], 'input', /a picture does not fit "x": float32\[4,64\]/],
  'no repeats': [['--repeat', '0'], 'flag', /--repeat 0/],
  'no threads': [['--threads', '1.5'], 'flag', /--threads 1\.5/],
  'no time': [['--timeout', '-1'], 'flag', /--timeout -1/],
};
for (const [what, [flags, code, says]] of Object.entries(inputs)) {
  test(what, async () => assertRefused(await run(build, ...flags), code, says));
}

test('a .npy that is damaged', async () => {
  const cut = input('cut.npy', encodeNpy(floats([4, 64])).subarray(0, 700));
  const [truncated, other] = [await run(build, '-i', cut), await run(build, '-i', input('fake.npy', 'hello'))];
  assert.equal([truncated.status, other.status], [1, 1]);
  assert.match(truncated.stderr, /^npy-invalid: .*cut\.npy holds 572 bytes of data, its header says 1024/);
  assert.match(other.stderr, /^npy-invalid: .*fake\.npy is not a \.npy file/);
});

test('one of two inputs', async () => {
  const image = input('image.npy', encodeNpy(floats([1, 3, 24, 24])));
  assertRefused(await run(both, '-i', `image=${image}`), 'input', /no value for "command"/);
  assertRefused(await run(both, '-i', image), 'input', /names no input.*inputs are image, command/s);
});

test('a weight that the model lets callers replace is fixed in a build, for the command line and the library', async () => {
  const fed = work.write(
    'fed.onnx',
    modelBytes({
      nodes: [node('Add', ['x', 'w'], ['y'])],
      inputs: [value('x', [4]), value('w', [4])],
      initializers: [ramp('w', [4])],
      outputs: [value('y', [4])],
    }),
  );
  const folder = await work.compile(fed, 'fed');
  const w = input('w.npy', encodeNpy(floats([4])));
  const says = /the build has no input "w".*an initializer\) is fixed when it is compiled/s;
  for (const more of [[], ['-i', `x=${w}`], ['-i', 'random']]) {
    assertRefused(await run(folder, '-i', `w=${w}`, ...more), 'unknown-input', says);
  }
  const bundle = await openBundle(folder, { transport: 'memory', threads: 1 });
  const error = await errorOf('unknown-input', () => bundle.infer({ x: floats([4]), w: floats([4]) }));
  await bundle.close();
  assert.match(error.format(), says);
  const main = spawnSync(process.execPath, [join(folder, 'a', 'main.js'), '--input=x=random', `--input=w=${w}`]);
  assert.match(main.stderr.toString(), says);
});

test('outputs are not written, and --json says why', async () => {
  const output = work.path('outputs');
  const spoken = await run(build, '-i', shape, '-o', output, '--json');
  assert.is(spoken.status, 1);
  assert.equal([json(spoken).ok, json(spoken).error.code], [false, 'input-shape']);
  assert.not(readdirSync(work.path('.')).includes('outputs'));
});

test('verify: another model, no model', async () => {
  assertRefused(
    await shardonnx('verify', build, modelFile('unet')),
    'model-refused',
    /give the model the bundle was compiled from/,
  );
  assertRefused(await shardonnx('verify', build, work.path('none.onnx')), 'model-not-a-file', /none\.onnx/);
});

test.run();
