import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Case, f32, float, int, prove } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('matmul');

rows(test, [
  ['mk,kn->mn', 'kmn', { type: 'MatMul', inputs: [f32(3, 5), f32(5, 4)] }],
  ['k,k->', 'k', { type: 'MatMul', inputs: [f32(5), f32(5)] }],
  ['k,kn->n', 'kn', { type: 'MatMul', inputs: [f32(5), f32(5, 4)] }],
  ['mk,k->m', 'km', { type: 'MatMul', inputs: [f32(3, 5), f32(5)] }],
  ['bmk,k->bm', 'bkm', { type: 'MatMul', inputs: [f32(2, 3, 5), f32(5)] }],
  ['k,bhkn->bhn', 'bhkn', { type: 'MatMul', inputs: [f32(5), f32(2, 3, 5, 4)] }],
  ['bhmk,hkn->bhmn', 'bhkmn', { type: 'MatMul', inputs: [f32(2, 1, 3, 5), f32(4, 5, 2)] }],
  [
    'bmk,bkn->bmn',
    'bkmn',
    {
      type: 'MatMul',
      inputs: [
        { ...f32(1, 3, 5), dtype: 'int32' },
        { ...f32(4, 5, 2), dtype: 'int32' },
      ],
    },
  ],
  ['abcmk,ckn->abcmn', 'abckmn', { type: 'MatMul', inputs: [f32(2, 2, 1, 3, 2), f32(2, 2, 3)] }],
  ['mk,kn->mn', 'kmn', { type: 'Gemm', inputs: [f32(3, 5), f32(5, 4)] }],
  [
    'mk,kn,mn->mn',
    'kmn',
    { type: 'Gemm', inputs: [f32(3, 5), f32(5, 4), f32(3, 1)], attributes: { beta: float(0.5) } },
  ],
  [
    'km,nk,n->mn',
    'kmn',
    { type: 'Gemm', opset: 9, inputs: [f32(5, 3), f32(4, 5), f32(4)], attributes: { transA: int(1), transB: int(1) } },
  ],
  [
    'mk,nk,->mn',
    'kmn',
    { type: 'Gemm', inputs: [f32(3, 5), f32(4, 5), f32()], attributes: { transB: int(1), alpha: float(3) } },
  ],
]);

test('the addend is added once', async () => {
  const { cut } = await prove({ type: 'Gemm', inputs: [f32(3, 6), f32(6, 4), f32(4)] });
  const spans = { m: [0, 3], n: [1, 4] } as const;
  assert.equal(cut.tile({ ...spans, k: [0, 2] }).inputs[2], [[1, 4]]);
  assert.is(cut.tile({ ...spans, k: [2, 6] }).inputs[2], undefined);
});

const size = fc.integer({ min: 1, max: 5 });
/** Batch dimensions that broadcast: of size 1 or left out on either side. */
const products = fc
  .record({
    batch: fc.array(fc.tuple(size, fc.constantFrom('both', 'a', 'b')), { maxLength: 3 }),
    shorter: fc.nat(3),
    m: size,
    k: size,
    n: size,
  })
  .map(({ batch, shorter, m, k, n }): Case => {
    const a = batch.map(([extent, where]) => (where === 'b' ? 1 : extent));
    const b = batch.map(([extent, where]) => (where === 'a' ? 1 : extent));
    return { type: 'MatMul', inputs: [f32(...a, m, k), f32(...b.slice(shorter), k, n)] };
  });
property(test, 'any matrix product', 'abchkmn', products);

const gemms = fc
  .record({
    m: size,
    k: size,
    n: size,
    transA: fc.boolean(),
    transB: fc.boolean(),
    opset: fc.constantFrom(7, 9, 11, 13),
    c: fc.constantFrom('mn', 'm1', '1n', 'n', '1', ''),
  })
  .map(({ m, k, n, transA, transB, opset, c }): Case => {
    const extent = (letter: string) => (letter === 'm' ? m : letter === 'n' ? n : 1);
    return {
      type: 'Gemm',
      opset,
      inputs: [f32(...(transA ? [k, m] : [m, k])), f32(...(transB ? [n, k] : [k, n])), f32(...[...c].map(extent))],
      attributes: { ...(transA ? { transA: int(1) } : {}), ...(transB ? { transB: int(1) } : {}), alpha: float(0.5) },
    };
  });
property(test, 'any Gemm', 'kmn', gemms);

test.run();
