/** External data: by reference, and only from the model's own folder. */
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importModel } from '../../compiler/onnx/import.ts';
import { errorOf, external, floats, imported, node, value, weightNamed, workFolder } from './make.ts';
import { bytesOf } from './rebuild.ts';

const work = workFolder();
test.after(work.remove);

const bfloat16 = 16;
const int4 = 22;
const bytes = new Uint8Array(new Float32Array(3000).map((_, i) => i).buffer);
work.write('data.bin', bytes);

/** x + w, w: [2000] in a data file. */
const modelWith = (entries: Readonly<Record<string, string>>, shape = [2000], dataType = 1) =>
  work.model({
    nodes: [node('Add', ['x', 'w'], ['y'])],
    inputs: [value('x', shape, dataType)],
    outputs: [value('y', undefined, dataType)],
    initializers: [external('w', shape, entries, dataType)],
  });
const codeOf = async (entries: Readonly<Record<string, string>>, shape?: number[]) =>
  (await errorOf(() => importModel(modelWith(entries, shape)))).code;

test('a big weight stays in its file, a small one is read', async () => {
  const big = weightNamed(await imported(modelWith({ location: 'data.bin', offset: '4', length: '8000' })), 'w');
  assert.equal(big.source, { kind: 'file', file: path.join(work.folder, 'data.bin'), offset: 4, length: 8000 });
  assert.ok(Buffer.from(bytes.subarray(4, 8004)).equals(await bytesOf(big)));
  const small = weightNamed(await imported(modelWith({ location: 'data.bin', offset: '8' }, [2])), 'w');
  assert.equal(small.source, { kind: 'inline', bytes: bytes.slice(8, 16) });
});

test("a folder below the model's is allowed", async () => {
  mkdirSync(path.join(work.folder, 'below'), { recursive: true });
  work.write('below/data.bin', bytes);
  const weight = weightNamed(await imported(modelWith({ location: './below/data.bin' })), 'w');
  assert.is(weight.source.kind === 'file' && weight.source.file, path.join(work.folder, 'below', 'data.bin'));
});

test('a file that is missing, or is a folder', async () => {
  assert.is(await codeOf({ location: 'none.bin' }), 'external-data-missing');
  mkdirSync(path.join(work.folder, 'folder'), { recursive: true });
  assert.is(await codeOf({ location: 'folder' }), 'external-data-missing');
  const error = await errorOf(() => importModel(modelWith({ location: 'none.bin' })));
  assert.match(error.format(), /model\.onnx: tensor "w"/);
});

test('a file that is too short says by how much', async () => {
  const error = await errorOf(() => importModel(modelWith({ location: 'data.bin', offset: '4096' })));
  assert.is(error.code, 'external-data-short');
  assert.match(error.message, /12096.*12000/);
});

test('paths out of the folder are refused: up, absolute, by a link, none at all', async () => {
  const inner = path.join(work.folder, 'inner');
  mkdirSync(inner, { recursive: true });
  for (const location of ['../data.bin', '/etc/passwd', 'C:\\windows\\data', 'a/../../data.bin', '', '.']) {
    const file = modelWith({ location });
    const error = await errorOf(() => importModel(file));
    assert.is(error.code, 'external-data-outside', location);
  }
  symlinkSync('/etc/hostname', path.join(work.folder, 'link.bin'));
  assert.is(await codeOf({ location: 'link.bin' }), 'external-data-outside');
  symlinkSync('data.bin', path.join(work.folder, 'near.bin'));
  assert.is((await imported(modelWith({ location: 'near.bin' }))).operators.length, 1);
});

test("a length that is not the shape's, and numbers that are none", async () => {
  assert.is(await codeOf({ location: 'data.bin', length: '100' }), 'tensor-size');
  assert.is(await codeOf({ location: 'data.bin', length: '-4' }), 'tensor-size');
  assert.is(await codeOf({ location: 'data.bin', offset: '1e3' }), 'tensor-size');
});

test('dtypes that JavaScript cannot hold are taken into the program with their bytes', async () => {
  const file = work.model({
    opsets: { '': 21 },
    nodes: [
      node('Cast', ['b'], ['f'], { to: { kind: 'int', value: 1 } }),
      node('DequantizeLinear', ['i', 'scale'], ['q']),
      node('Sum', ['x', 'f', 'q'], ['y']),
    ],
    inputs: [value('x', [2500])],
    initializers: [
      external('b', [2500], { location: 'data.bin' }, bfloat16),
      external('i', [2500], { location: 'data.bin', length: '1250' }, int4),
      floats('scale', [], [0.5]),
    ],
  });
  const program = await imported(file);
  const [constant] = program.operators;
  assert.is(constant?.kind === 'compute' && constant.type, 'Constant');
  assert.is(program.tensors.get('i')?.dtype, null);
  assert.equal(program.tensors.get('i')?.shape, [2500]);
  assert.is(program.tensors.get('q')?.dtype, 'float32');
  const short = work.model({ initializers: [external('w', [9000], { location: 'data.bin' }, bfloat16)] });
  assert.is((await errorOf(() => importModel(short))).code, 'external-data-short');
  const cut = work.model({ initializers: [external('w', [9], { location: 'data.bin', length: '9' }, int4)] });
  assert.is((await errorOf(() => importModel(cut))).code, 'tensor-size');
});

test.run();
