/** The skeleton of a model file: weights left out, everything else as it was. */
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importModel } from '../../compiler/onnx/import.ts';
import { createTensor, decodeModel, onnx } from '../../compiler/onnx/proto.ts';
import { insideKeys, scanModel } from '../../compiler/onnx/scan.ts';
import { weightBytes } from '../../compiler/onnx/weights.ts';
import { field, header } from '../../compiler/onnx/wire.ts';
import {
  errorOf,
  floatsOf,
  imported,
  modelBytes,
  node,
  ramp,
  tensorAttribute,
  value,
  weightNamed,
  workFolder,
} from './make.ts';
import { bytesOf } from './rebuild.ts';

const work = workFolder();
test.after(work.remove);

test('a model of small tensors is its own skeleton', () => {
  const bytes = modelBytes({ initializers: [ramp('w', [1024])] });
  assert.equal(Buffer.from(scanModel(work.write('small.onnx', bytes))), Buffer.from(bytes));
});

test('a big tensor becomes a pointer to its bytes', () => {
  const bytes = modelBytes({ initializers: [ramp('w', [1025]), ramp('v', [2])] });
  const skeleton = scanModel(work.write('big.onnx', bytes));
  const [w, v] = decodeModel(skeleton).graph!.initializer;
  const entries = Object.fromEntries(w!.externalData.map(({ key, value }) => [key, Number(value)]));
  const begin = entries[insideKeys.offset]!;
  assert.is(entries[insideKeys.length], 4100);
  const inside = floatsOf(bytes.subarray(begin, begin + 4100));
  assert.ok(inside.every((element, i) => element === i));
  assert.is(v!.rawData.length, 8);
  assert.ok(skeleton.length < 500);
});

test('float_data, double_data and the tensors of Constant nodes are pointed to as well', async () => {
  const data = Array.from({ length: 2000 }, (_, i) => i / 8);
  const file = work.model({
    nodes: [
      node('Constant', [], ['c'], { value: tensorAttribute(ramp('', [2000], 8)) }),
      node('Cast', ['d'], ['e'], { to: { kind: 'int', value: 1 } }),
      node('Sum', ['x', 'f', 'c', 'e'], ['y']),
    ],
    inputs: [value('x', [2000])],
    initializers: [
      createTensor({ name: 'f', dims: [2000], dataType: 1, floatData: data }),
      createTensor({ name: 'd', dims: [2000], dataType: 11, doubleData: data }),
    ],
  });
  const program = await imported(file);
  const read = (name: string) => bytesOf(weightNamed(program, name));
  for (const name of ['c', 'f', 'd']) {
    const tensor = program.tensors.get(name);
    assert.is(tensor?.role === 'weight' && tensor.source.kind, 'file', name);
  }
  assert.is(floatsOf(await read('c')).join(), data.join());
  assert.is(floatsOf(await read('f')).join(), data.join());
  assert.is(new Float64Array(new Uint8Array(await read('d')).buffer).join(), data.join());
});

/** A model whose weight `w` [rows, 1024] is a hole in a sparse file, except for one row of ones. */
function sparseModel(name: string, rows: number, dataField: number, ones: number): string {
  const length = rows * 4096;
  const rest = onnx.TensorProto.encode({ name: 'w', dims: [rows, 1024], dataType: 1 }).finish();
  const data = header(dataField, length);
  const tensor = header(5, rest.length + data.length + length);
  const graph = onnx.GraphProto.encode({
    name: 'holes',
    node: [node('MatMul', ['x', 'w'], ['y'])],
    input: [value('x', [1, rows])],
    output: [value('y')],
  }).finish();
  const whole = header(7, graph.length + tensor.length + rest.length + data.length + length);
  const model = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }] }).finish();
  const head = Buffer.concat([whole, graph, tensor, rest, data]);
  const file = path.join(work.folder, name);
  const descriptor = openSync(file, 'w');
  writeSync(descriptor, head);
  ftruncateSync(descriptor, head.length + length);
  writeSync(descriptor, new Uint8Array(new Float32Array(1024).fill(1).buffer), 0, 4096, head.length + ones * 4096);
  writeSync(descriptor, model, 0, model.length, head.length + length);
  closeSync(descriptor);
  return file;
}

for (const [what, dataField] of [
  ['raw_data', 9],
  ['float_data', 4],
] as const) {
  test(`600 MB of ${what} are neither read nor held`, async () => {
    const file = sparseModel(`${what}.onnx`, 150_000, dataField, 70_000);
    await imported(work.model());
    const before = process.memoryUsage();
    const program = await imported(file);
    const after = process.memoryUsage();
    assert.ok(after.rss - before.rss < 30e6, `resident memory grew by ${after.rss - before.rss} bytes`);
    assert.ok(after.arrayBuffers - before.arrayBuffers < 5e6);
    const weight = weightNamed(program, 'w');
    assert.is(weightBytes(weight), 614_400_000);
    const rows = await bytesOf(weight, [
      [69_999, 70_001],
      [1022, 1024],
    ]);
    assert.equal(floatsOf(rows), [0, 0, 1, 1]);
  });
}

test('no file, a folder, an empty file', async () => {
  assert.is((await errorOf(() => scanModel(path.join(work.folder, 'none.onnx')))).code, 'model-not-a-file');
  assert.is((await errorOf(() => scanModel(work.folder))).code, 'model-not-a-file');
  assert.is((await errorOf(() => scanModel('/dev/null'))).code, 'model-not-a-file');
  assert.is((await errorOf(() => scanModel(work.write('empty.onnx', '')))).code, 'model-empty');
});

test('other files are told apart', async () => {
  const others: readonly (readonly [string | Uint8Array, RegExp])[] = [
    [Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), /picture/],
    ['{"ir_version": 8}', /JSON/],
    ['PK\x03\x04archive/data.pkl', /PyTorch/],
    [Buffer.from('1c00000054464c33', 'hex'), /TensorFlow Lite/],
    ['GGUF\x03', /GGUF/],
    ['version https://git-lfs.github.com/spec/v1\noid', /Git LFS/],
    ['ir_version: 8\nproducer_name: "x"', /text/],
    [Buffer.from('ff00ff00', 'hex'), /not an ONNX model$/],
  ];
  for (const [bytes, looks] of others) {
    const error = await errorOf(() => scanModel(work.write('other.onnx', bytes)));
    assert.is(error.code, 'model-not-onnx');
    assert.match(error.message, looks);
  }
});

test('a cut-off model says how much is missing, wherever it is cut', async () => {
  const bytes = modelBytes({ initializers: [ramp('w', [2000])] });
  for (let length = 1; length < bytes.length; length += 97) {
    const error = await errorOf(() => importModel(work.write('cut.onnx', bytes.subarray(0, length))));
    assert.ok(['model-truncated', 'model-no-graph'].includes(error.code), `${error.code} at ${length}`);
    assert.match(error.format(), /cut\.onnx/);
  }
});

test('a damaged length is found', async () => {
  const bytes = Buffer.from(modelBytes({ initializers: [ramp('w', [2000]), ramp('v', [2000])] }));
  bytes[bytes.indexOf(Buffer.from([0x4a, 0xc0, 0x3e])) + 2] = 0x3f;
  assert.is((await errorOf(() => scanModel(work.write('length.onnx', bytes)))).code, 'model-damaged');
});

test('nothing is read into a length that only looks big', async () => {
  const bytes = Buffer.concat([field(2, 'x'), header(8, 2 ** 40)]);
  assert.is((await errorOf(() => scanModel(work.write('huge.onnx', bytes)))).code, 'model-truncated');
});

test('a graph of very many nodes', () => {
  const relu = field(1, onnx.NodeProto.encode(node('Relu', ['x'], ['y'])).finish());
  const bytes = field(7, Buffer.concat(Array.from({ length: 200_000 }, () => relu)));
  assert.ok(Buffer.from(scanModel(work.write('wide.onnx', bytes))).equals(bytes));
});

test('graphs nested too deep are damage', async () => {
  let bytes: Uint8Array = new Uint8Array(5000);
  for (let i = 0; i < 40; i++) bytes = field(1, field(5, field(6, bytes)));
  const error = await errorOf(() => scanModel(work.write('deep.onnx', field(7, bytes))));
  assert.is(error.code, 'model-damaged');
  assert.match(error.message, /nested/);
});

test.run();
