/** Any region of a weight, read from wherever its bytes are. */
import { truncateSync, unlinkSync } from 'node:fs';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { WeightSource } from '../../compiler/ir/program.ts';
import { type Region, wholeRegion } from '../../compiler/ir/region.ts';
import { constantOf, readRegion, textsOf, type Weight } from '../../compiler/onnx/weights.ts';
import { bytesPerElement, type DType } from '../../runtime/dtype.ts';
import { errorOf, workFolder } from './make.ts';
import { bytesOf } from './rebuild.ts';

const work = workFolder();
test.after(work.remove);

const weight = (dtype: DType, shape: readonly number[], source: WeightSource): Weight => ({
  name: 'w',
  role: 'weight',
  dtype,
  shape,
  source,
});

/** Element by element. */
function slowly(bytes: Uint8Array, shape: readonly number[], region: Region, size: number): Uint8Array {
  let places = [0];
  region.forEach(([begin, end], axis) => {
    places = places.flatMap((place) =>
      Array.from({ length: Math.max(0, end - begin) }, (_, i) => place * shape[axis]! + begin + i),
    );
  });
  return Buffer.concat(places.map((place) => bytes.subarray(place * size, (place + 1) * size)));
}

const counted = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) % 251);

const spanOf = (size: number) =>
  fc.tuple(fc.nat(size), fc.nat(size)).map(([a, b]): [number, number] => [Math.min(a, b), Math.max(a, b)]);
const regionOfShape = fc
  .array(fc.integer({ min: 1, max: 9 }), { maxLength: 4 })
  .chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(spanOf))));

test('every region of every source is what reading element by element gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      regionOfShape,
      fc.constantFrom<DType>('uint8', 'float16', 'float32', 'int64'),
      fc.nat(9),
      async ([shape, region], dtype, offset) => {
        const size = bytesPerElement(dtype);
        const bytes = counted(shape.reduce((product, n) => product * n, size));
        const file = work.write('weights.bin', Buffer.concat([new Uint8Array(offset), bytes, new Uint8Array(3)]));
        const expected = Buffer.from(slowly(bytes, shape, region, size)).toString('hex');
        for (const source of [
          { kind: 'inline', bytes },
          { kind: 'file', file, offset, length: bytes.length },
        ] as const) {
          const read = await bytesOf(weight(dtype, shape, source), region);
          assert.is(Buffer.from(read).toString('hex'), expected, source.kind);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('big regions come in chunks of at most 1 MiB, whole elements each: long runs, short runs, far apart and close together', async () => {
  const shape = [64, 32, 24, 24];
  const bytes = counted(64 * 32 * 24 * 24 * 4);
  const file = work.write('big.bin', bytes);
  const stored = weight('float32', shape, { kind: 'file', file, offset: 0, length: bytes.length });
  const regions: readonly Region[] = [
    wholeRegion(shape),
    [
      [0, 64],
      [16, 32],
      [0, 24],
      [0, 24],
    ],
    [
      [0, 64],
      [0, 1],
      [0, 24],
      [0, 24],
    ],
    [
      [0, 64],
      [0, 32],
      [0, 24],
      [0, 1],
    ],
    [
      [0, 64],
      [31, 32],
      [23, 24],
      [23, 24],
    ],
    [
      [5, 60],
      [3, 32],
      [2, 24],
      [1, 23],
    ],
  ];
  for (const region of regions) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of readRegion(stored, region)) chunks.push(chunk);
    assert.ok(chunks.every(({ length }) => length > 0 && length <= 1 << 20 && length % 4 === 0));
    assert.ok(chunks.slice(0, -1).every(({ length }) => length === 1 << 20));
    assert.ok(Buffer.concat(chunks).equals(slowly(bytes, shape, region, 4)));
  }
});

test('a fill repeats its element and holds one chunk', async () => {
  const element = new Uint8Array(new Float32Array([0.5]).buffer);
  const filled = weight('float32', [1000, 1000], { kind: 'fill', bytes: element });
  let total = 0;
  for await (const chunk of readRegion(filled, [
    [1, 1000],
    [0, 999],
  ])) {
    assert.ok(new Float32Array(new Uint8Array(chunk).buffer).every((value) => value === 0.5));
    total += chunk.length;
  }
  assert.is(total, 999 * 999 * 4);
});

test('an empty region and an empty weight yield nothing; a scalar its element', async () => {
  const bytes = counted(4);
  assert.is((await bytesOf(weight('float32', [1], { kind: 'inline', bytes }), [[1, 1]])).length, 0);
  assert.is((await bytesOf(weight('float32', [0, 3], { kind: 'inline', bytes: new Uint8Array(0) }))).length, 0);
  assert.equal([...(await bytesOf(weight('float32', [], { kind: 'inline', bytes }), []))], [...bytes]);
});

test('a file that is gone or was cut off since the import is an error', async () => {
  const bytes = counted(8000);
  const file = work.write('gone.bin', bytes);
  const stored = weight('float32', [2000], { kind: 'file', file, offset: 0, length: 8000 });
  truncateSync(file, 5000);
  assert.is((await errorOf(() => bytesOf(stored))).code, 'weight-unreadable');
  assert.is((await errorOf(() => bytesOf(stored, [[1500, 1501]]))).code, 'weight-unreadable');
  unlinkSync(file);
  assert.is((await errorOf(() => bytesOf(stored))).code, 'weight-unreadable');
});

test('constantOf gives the elements of small numeric weights', () => {
  const of = (dtype: DType, array: ArrayBufferView) =>
    constantOf(
      weight(dtype, [array.byteLength / bytesPerElement(dtype)], {
        kind: 'inline',
        bytes: new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
      }),
    );
  assert.equal(of('int64', new BigInt64Array([-1n, 2n ** 53n])), [-1, 2 ** 53]);
  assert.equal(of('uint64', new BigUint64Array([3n])), [3]);
  assert.equal(of('float32', new Float32Array([0.5, Number.POSITIVE_INFINITY])), [0.5, Number.POSITIVE_INFINITY]);
  assert.equal(of('float64', new Float64Array([0.1])), [0.1]);
  assert.equal(of('bool', new Uint8Array([1, 0])), [1, 0]);
  assert.equal(of('int8', new Int8Array([-5])), [-5]);
  assert.equal(of('float16', new Uint16Array([0x3c00, 0xc000, 1, 0x7c00, 0x8000])), [1, -2, 2 ** -24, Infinity, -0]);
  assert.ok(Number.isNaN(of('float16', new Uint16Array([0x7e00]))![0]));
  assert.is(of('uint8', new Uint8Array(4097)), undefined);
});

test('every region of a weight of strings', () => {
  fc.assert(
    fc.property(regionOfShape, ([shape, region]) => {
      const numbers = counted(shape.reduce((product, n) => product * n, 1));
      const strings = weight('string', shape, { kind: 'strings', values: Array.from(numbers, (n) => `text ${n}`) });
      const expected = Array.from(slowly(numbers, shape, region, 1), (n) => `text ${n}`);
      assert.equal(textsOf(strings, region), expected);
    }),
  );
});

test('constantOf does not read files, expand fills, or take strings', () => {
  assert.is(constantOf(weight('float32', [1], { kind: 'file', file: 'x', offset: 0, length: 4 })), undefined);
  assert.is(constantOf(weight('float32', [9], { kind: 'fill', bytes: new Uint8Array(4) })), undefined);
  assert.is(constantOf(weight('string', [1], { kind: 'strings', values: ['a'] })), undefined);
  assert.is(constantOf({ name: 'x', role: 'input', dtype: 'float32', shape: [1] }), undefined);
});

test.run();
