/** .npy files and made-up tensors. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bytesPerElement, dtypes } from '../../runtime/dtype.ts';
import { ShardonnxError } from '../../runtime/error.ts';
import { decodeNpy, encodeNpy, readNpy } from '../../runtime/npy.ts';
import { fileNames, writeOutputs } from '../../runtime/outputs.ts';
import { randomTensor } from '../../runtime/random.ts';
import { elements, mismatch, tensorOver } from '../../runtime/tensor.ts';
import { errorOf } from '../support/error.ts';

const test = suite('npy');
const numeric = dtypes.filter((dtype) => dtype !== 'string');

test('every numeric dtype survives', () => {
  const array = fc.record({
    dtype: fc.constantFrom(...numeric),
    dims: fc.array(fc.nat({ max: 4 }), { maxLength: 4 }),
  });
  fc.assert(
    fc.property(array, ({ dtype, dims }) => {
      const tensor = tensorOver(dtype, dims, new Uint8Array(elements(dims) * bytesPerElement(dtype)).fill(1));
      assert.ok(tensor);
      const file = encodeNpy(tensor);
      assert.is((file.length - elements(dims) * bytesPerElement(dtype)) % 64, 0);
      assert.equal(decodeNpy(file, 'x.npy'), tensor);
    }),
  );
});

/** As numpy.save writes it, padded as format version 1 asks. */
function file(fields: string, data: Uint8Array, version = 1): Buffer {
  const header = Buffer.from(`${fields}\n`);
  const head = Buffer.alloc(version === 1 ? 10 : 12);
  head.write('\x93NUMPY', 'latin1');
  head[6] = version;
  if (version === 1) head.writeUInt16LE(header.length, 8);
  else head.writeUInt32LE(header.length, 8);
  return Buffer.concat([head, header, data]);
}
const fields = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

test('version 2, scalars and empty arrays are read', () => {
  assert.equal(decodeNpy(file(fields('<f4', '(1, 2)'), new Uint8Array(8), 2), 'x').dims, [1, 2]);
  assert.equal(decodeNpy(file(fields('<i8', '()'), new Uint8Array(8)), 'x').dims, []);
  assert.equal(decodeNpy(file(fields('|u1', '(0, 3)'), new Uint8Array(0)), 'x').dims, [0, 3]);
});

test('what cannot be read is told', async () => {
  const bytes = new Uint8Array(8);
  const cases: [Buffer, string, RegExp][] = [
    [Buffer.from('no'), 'npy-invalid', /is not a .npy file/],
    [file(fields('<f4', '(1, 2)'), bytes).subarray(0, 30), 'npy-invalid', /ends in its header/],
    [file(fields('<f4', '(1, 3)'), bytes), 'npy-invalid', /8 bytes of data, its header says 12/],
    [file('{}', bytes), 'npy-invalid', /no readable header/],
    [file(fields('<f4', '(1, 2)'), bytes, 9), 'npy-unsupported', /version 9/],
    [file(fields('>f4', '(1, 2)'), bytes), 'npy-unsupported', /big-endian/],
    [file(fields('<f4', '(1, 2)', 'True'), bytes), 'npy-unsupported', /Fortran/],
    [file(fields('<c8', '(1,)'), bytes), 'npy-unsupported', /<c8/],
    [file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", bytes), 'npy-unsupported', /records/],
  ];
  for (const [content, expected, message] of cases) {
    const error = await errorOf(expected, () => decodeNpy(content, 'x.npy'));
    assert.match(error.message, message);
    assert.ok(error.context.hint);
  }
});

test('random bytes never crash', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      try {
        decodeNpy(file(fields('<f4', '(1, 2)'), tail), 'x.npy');
      } catch (error) {
        assert.instance(error, ShardonnxError);
      }
    }),
  );
});

test('a file that is missing is told', async () => {
  const error = await errorOf('npy-invalid', () => readNpy('/nowhere/x.npy'));
  assert.is(error.message, '/nowhere/x.npy does not exist');
  assert.match(error.context.hint!, /numpy\.save/);
});

test('outputs go to files of their names, each to one of its own', async () => {
  assert.equal(fileNames(['y', 'a/b', 'a:b', 'A b', 'a_b_2', '../y']), [
    'y.npy',
    'a_b.npy',
    'a_b_2.npy',
    'A_b_3.npy',
    'a_b_2_2.npy',
    '.._y.npy',
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'shardonnx-runtime-'));
  try {
    const tensor = (n: number) => ({ type: 'float32' as const, dims: [1], data: Float32Array.of(n) });
    await writeOutputs(join(folder, 'new'), { 'a/b': tensor(1), 'a:b': tensor(2) });
    const read = async (name: string) => [...(await readNpy(join(folder, 'new', name))).data];
    assert.equal([await read('a_b.npy'), await read('a_b_2.npy')], [[1], [2]]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('numpy reads what is written, where numpy is installed', () => {
  const tensor = { type: 'float32' as const, dims: [2, 2], data: Float32Array.of(1, 2, 3, 4) };
  const read =
    'import sys,io;import numpy as n;a=n.load(io.BytesIO(sys.stdin.buffer.read()));print(a.dtype,a.tolist())';
  let printed: string;
  try {
    printed = execFileSync('python3', ['-c', read], {
      input: encodeNpy(tensor),
      stdio: ['pipe', 'pipe', 'ignore'],
    }).toString();
  } catch {
    return;
  }
  assert.is(printed.trim(), 'float32 [[1.0, 2.0], [3.0, 4.0]]');
});

test('random tensors fit their spec, repeat with the seed, and differ between seeds', async () => {
  for (const dtype of dtypes) {
    const spec = { name: 'x', dtype, shape: [3, 50] };
    const tensor = randomTensor(spec, 1);
    assert.is(mismatch(spec, tensor), null);
    assert.equal(randomTensor(spec, 1), tensor);
    assert.not.equal(randomTensor(spec, 2).data, tensor.data);
  }
  await errorOf('input-shape', () => randomTensor({ name: 'x', dtype: 'float32', shape: [null] }, 1));
});

test.run();
