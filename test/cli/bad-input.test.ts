/** What `compile` refuses: status 1, `code: message`, the place, what to do, and nothing written. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { external, modelBytes, node, value } from '../onnx/make.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('bad input');
const work = workFolder();
const good = modelFile('mlp');
const whole = readFileSync(good);
const noise = Uint8Array.from({ length: 4096 }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 13) & 255);
const picture = readFileSync(join(import.meta.dirname, '../../fixtures/images/street.png'));

const model = (name: string, bytes: Uint8Array | string) => work.write(`models/${name}`, bytes);
const withData = (name: string, location: string, length = '65536') =>
  model(
    name,
    modelBytes({
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      inputs: [value('x', [1, 128])],
      initializers: [external('w', [128, 128], { location, offset: '0', length })],
    }),
  );
model('short.bin', new Uint8Array(1000));
work.write('secret.bin', new Uint8Array(65536));
mkdirSync(work.path('models/empty-folder'));
symlinkSync(work.path('secret.bin'), work.path('models/link.bin'));

/** Model, more arguments; the error's code; what it says, of place and of remedy. */
// biome-ignore format: one row a case
const models: Readonly<Record<string, readonly [string, string, RegExp, ...string[]]>> = {
  'no file': [work.path('none.onnx'), 'model-not-a-file', /none\.onnx/],
  'a folder': [work.path('models'), 'model-not-a-file', /models/],
  'an empty file': [model('empty.onnx', ''), 'model-empty', /at .*empty\.onnx/],
  'a truncated file': [model('truncated.onnx', whole.subarray(0, 40_000)), 'model-truncated', /at .*truncated\.onnx\n.*copy or download/],
  'random bytes': [model('noise.onnx', noise), 'model-not-onnx', /at .*noise\.onnx/],
  'a picture': [model('picture.onnx', picture), 'model-not-onnx', /picture/],
  'text': [model('text.onnx', 'Dear model, …'), 'model-not-onnx', /at .*text\.onnx/],
  'a later IR': [model('ir.onnx', modelBytes({ ir: 999 })), 'ir-version', /999/],
  'a later opset': [model('opset.onnx', modelBytes({ opsets: { '': 999 } })), 'opset', /999/],
  'an unknown operator': [model('unknown.onnx', modelBytes({ nodes: [node('Warp', ['x'], ['y'], {}, { name: 'warp1' })] })), 'unknown-operator', /Warp.*node "warp1"/s],
  'missing data': [withData('missing.onnx', 'none.bin'), 'external-data-missing', /tensor "w"/],
  'short data': [withData('short.onnx', 'short.bin'), 'external-data-short', /65536 of "short\.bin", which has 1000/],
  'data outside the folder': [withData('outside.onnx', '../secret.bin'), 'external-data-outside', /secret\.bin/],
  'data behind a link': [withData('linked.onnx', 'link.bin'), 'external-data-outside', /link\.bin/],
  'an unbound dimension': [model('free.onnx', modelBytes({ inputs: [value('x', [1, 'width'])] })), 'unbound-dimension', /\(width\).*--dim width=SIZE/s],
  'a dimension whose name has spaces': [model('spaces.onnx', modelBytes({ inputs: [value('x', [1, 'past + 1'])] })), 'unbound-dimension', /--dim 'past \+ 1=SIZE'/],
  'a dimension that others add up to': [model('cache.onnx', modelBytes({ inputs: [value('x', [1, 'past+sequence'])] })), 'unbound-dimension', /"x" \(past\+sequence\).*--dim past\+sequence=SIZE/s],
  'an unknown --dim': [model('fixed.onnx', modelBytes()), 'unknown-dimension', /"height"/, '--dim', 'height=4'],
  'a --dim without a size': [good, 'flag', /NAME=SIZE/, '--dim', 'batch'],
  'a --dim of zero': [good, 'flag', /NAME=SIZE/, '--dim', 'batch=0'],
};

const file = (name: string, text: string) => work.write(name, text);
const plan = (name: string, operators: object, more: object = {}) => {
  const all = { fc1: 'a', relu1: 'a', fc2: 'a', relu2: 'a', fc3: 'a', softmax: 'a', ...operators };
  return [
    '--plan',
    file(name, JSON.stringify({ format: 1, model: 'mlp', policy: 'by hand', ...more, operators: all })),
  ];
};
const encoded = (name: string, encodings: object) => plan(name, { fc2: 'b' }, { maxRelativeError: 0.1, encodings });
const cluster = (name: string, text: string) => ['--cluster', file(name, text)];
const parts = (...regions: string[]) => regions.map((region) => ({ device: 'a', region }));

// biome-ignore format: one row a case
const arguments_: Readonly<Record<string, readonly [string, RegExp, ...string[]]>> = {
  'a cluster file that is not there': ['cluster', /none\.yaml/, '--cluster', work.path('none.yaml')],
  'a typo in the cluster file': ['cluster', /"spede".*at .*typo\.yaml/s, ...cluster('typo.yaml', 'devices: { a: { spede: 1 } }')],
  'an unknown device in a link': ['cluster', /no device "c"/, ...cluster('link.yaml', 'devices: { a: , b: }\nlinks: [{ between: [a, c], bandwidth: 1 MB/s }]')],
  'zero bandwidth': ['cluster', /above zero/, ...cluster('zero.yaml', 'devices: { a: , b: }\nlinks: [{ between: [a, b], bandwidth: 0 MB/s }]')],
  'no link between two devices': ['no-link', /from a to b, and no link/, ...cluster('island.yaml', 'devices: { a: , b: }'), '--policy', 'cut:fc2'],
  'too little memory': ['device-memory', /a needs .* 1\.00 KiB allowed/, ...cluster('small.yaml', 'devices: { a: { memory: 1 KiB } }')],
  'a plan that is not there': ['plan', /none\.json/, '--plan', work.path('none.json')],
  'a plan that is no JSON': ['plan', /not JSON/, '--plan', file('broken.json', '{')],
  'a plan that misses an element': ['plan-misses', /nobody computes \[3:4,:\].*"fc1"/s, ...plan('misses.json', { fc1: parts('[0:3,:]') })],
  'a plan that computes one twice': ['plan-overlap', /\[2:3,:\] is computed twice on a.*"fc1"/s, ...plan('twice.json', { fc1: parts('[0:3,:]', '[2:4,:]') })],
  'a plan with an unknown operator': ['plan-operator', /"fc9"/, ...plan('unknown.json', { fc9: 'a' })],
  'a plan with an unknown device': ['plan-device', /no device "z".*devices are a, b/s, ...plan('device.json', { fc1: 'z' })],
  'a plan with an unknown reduce letter': ['plan-reduce', /along q/, ...plan('letter.json', { fc1: [{ device: 'a', reduce: { q: '0:1' } }] })],
  'an unknown policy': ['policy', /no policy "best"/, '--policy', 'best'],
  'an unknown node in a policy': ['policy', /"fc9"/, '--policy', 'cut:fc9'],
  'a negative budget': ['flag', /--max-relative-error -1\n.*from 0 to below 1/s, '--max-relative-error=-1'],
  'a budget that is no number': ['flag', /--max-relative-error NaN/, '--max-relative-error', 'NaN'],
  'a budget in words': ['flag', /--max-relative-error little/, '--max-relative-error', 'little'],
  'an empty budget': ['flag', /--max-relative-error /, '--max-relative-error='],
  'a budget of everything': ['flag', /--max-relative-error 1\n/, '--max-relative-error', '1'],
  'inputs to measure on, and no budget': ['flag', /--input x\.npy without --max-relative-error/, '--input', 'x.npy'],
  'inputs to measure on that are not there': ['input', /cannot read .*none\.npy/, '--max-relative-error', '0.1', '--policy', 'whole:b', '--input', work.path('none.npy')],
  'an unknown encoding': ['plan', /encodings\.relu1: an encoding is "float16", /, ...encoded('float8.json', { relu1: 'float8' })],
  'an encoding of a tensor that is not there': ['plan-encoding', /there is no such tensor.*encoding of "relu9"/s, ...encoded('nowhere.json', { relu9: 'float16' })],
  'an encoding of a weight': ['plan-encoding', /it is a weight.*encoding of "fc1\.weight"/s, ...encoded('weight.json', { 'fc1.weight': 'float16' })],
  'encodings beyond the budget': ['encoding-error', /by .* of its largest magnitude, 0\.000001 allowed/, ...encoded('coarse.json', { relu1: { int8: [0, 9] } }), '--max-relative-error', '1e-6'],
  'encodings, and nothing allowed': ['encoding-error', /, 0 allowed/, ...encoded('zero.json', { relu1: { int8: [0, 9] } }), '--max-relative-error', '0'],
  'a pass that is not there': ['pass', /none\.ts/, '--pass', work.path('none.ts')],
};

/** Everything in the folder, at any depth. */
const everything = () => readdirSync(dirname(work.cluster), { recursive: true }).sort();

async function refused(code: string, says: RegExp, modelPath: string, more: readonly string[]) {
  const before = everything();
  const output = work.path('out');
  const given = more.includes('--cluster') ? more : ['--cluster', work.cluster, ...more];
  const spoken = await shardonnx('compile', modelPath, ...given, '-o', output);
  assertRefused(spoken, code, says);
  assert.equal(everything(), before, 'nothing is written');
}

for (const [what, [path, code, says, ...more]] of Object.entries(models)) {
  test(`model: ${what}`, () => refused(code, says, path, more));
}
for (const [what, [code, says, ...more]] of Object.entries(arguments_)) {
  test(what, () => refused(code, says, good, more));
}

test('an earlier build stays as it was when the next one fails', async () => {
  const output = work.path('kept');
  const compile = (path: string) => shardonnx('compile', path, '-c', work.cluster, '-o', output);
  assert.is((await compile(good)).status, 0);
  const [before, digest] = [everything(), readFileSync(join(output, 'bundle.json'), 'utf8')];
  assertRefused(await compile(model('empty2.onnx', '')), 'model-empty', /empty2/);
  assert.equal(
    everything().filter((name) => !String(name).includes('empty2')),
    before,
  );
  assert.is(readFileSync(join(output, 'bundle.json'), 'utf8'), digest);
});

test('with --json the error is on stdout too, as an object', async () => {
  const spoken = await shardonnx(
    'compile',
    work.path('none.onnx'),
    '-c',
    work.cluster,
    '-o',
    work.path('out'),
    '--json',
  );
  assert.is(spoken.status, 1);
  const { ok, error } = json(spoken);
  assert.is(ok, false);
  assert.is(error.code, 'model-not-a-file');
  assert.ok(error.message && error.at.length > 0 && error.hint);
  assert.not(existsSync(work.path('out')));
});

test.run();
