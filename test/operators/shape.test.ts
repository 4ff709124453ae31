import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { groupsOf } from '../../compiler/operators/shape.ts';
import { type Case, f32, type Input, int, ints, longs, prove } from './brute-force.ts';
import { property, rows, wholes } from './suite.ts';

const test = suite('shape');

const reshape = (from: readonly number[], ...to: number[]): Case => ({
  type: 'Reshape',
  inputs: [f32(...from), longs(...to)],
});

rows(test, [
  ['n(cab)->nc', 'cn', reshape([2, 3, 4, 5], 0, -1)],
  ['1(cab)->nc', 'c', reshape([1, 3, 4, 5], 1, -1)],
  // Heads taken out of the channels of a transformer, and put back.
  ['nch->nc(hw)', 'chn', reshape([2, 3, 8], 2, 3, 4, 2)],
  ['nc(wa)->ncw', 'cnw', reshape([2, 3, 4, 2], 2, 3, 8)],
  // Channel shuffle.
  ['nchw->n(cd)hw', 'chnw', reshape([2, 6, 3, 2], 2, 3, 2, 3, 2)],
  ['(na)->(nc)', 'n', reshape([4, 6], 8, 3)],
  ['(na)->(nc)', '', reshape([2, 3], 3, 2)],
  ['n->n', 'n', reshape([7], -1)],
  ['->nc', '', reshape([], 1, 1)],
  [
    '111->',
    '',
    { type: 'Reshape', inputs: [f32(1, 1, 1), { dtype: 'int64', shape: [0], values: [], constant: true }] },
  ],
  ['n(ca)->nc', 'cn', { type: 'Flatten', inputs: [f32(3, 4, 2)] }],
  ['(na)(cb)->nc', 'cn', { type: 'Flatten', inputs: [f32(2, 3, 4, 2)], attributes: { axis: int(-2) } }],
  ['(cab)->nc', 'c', { type: 'Flatten', inputs: [f32(2, 3, 4)], attributes: { axis: int(0) } }],
  ['n1c1->nc', 'cn', { type: 'Squeeze', inputs: [f32(3, 1, 4, 1)] }],
  ['n1c1->nc', 'cn', { type: 'Squeeze', opset: 11, inputs: [f32(3, 1, 4, 1)] }],
  ['n1w1->ncw', 'nw', { type: 'Squeeze', inputs: [f32(3, 1, 4, 1), longs(-1)] }],
  ['n1c1->ncw', 'cn', { type: 'Squeeze', opset: 11, inputs: [f32(3, 1, 4, 1)], attributes: { axes: ints(1) } }],
  ['ch->nchw', 'ch', { type: 'Unsqueeze', inputs: [f32(3, 4), longs(0, -1)] }],
  ['ch->nchw', 'ch', { type: 'Unsqueeze', opset: 11, inputs: [f32(3, 4)], attributes: { axes: ints(0, 3) } }],
]);

wholes(test, [
  ['names no axes', { type: 'Squeeze', inputs: [f32(3, 4)] }],
  ['empty', { type: 'Reshape', inputs: [f32(3, 0), longs(0, 5)], attributes: { allowzero: int(1) } }],
]);

test('groups are as fine as they can be', () => {
  assert.equal(groupsOf([2, 3, 4, 5], [6, 4, 5]), [
    { input: [0, 1], output: [0] },
    { input: [2], output: [1] },
    { input: [3], output: [2] },
  ]);
  assert.equal(groupsOf([1, 6, 1, 4], [2, 1, 12]), [{ input: [1, 3], output: [0, 2] }]);
});

test('a cut is legal where it falls between rows of both sides', async () => {
  const { cut } = await prove(reshape([4, 6], 8, 3));
  assert.equal(cut.letters.n, { kind: 'free', size: 8, step: 2 });
  assert.is(cut.letters.c?.kind, 'whole');
  assert.equal(cut.tile({ n: [2, 6], c: [0, 3] }).inputs[0], [
    [1, 3],
    [0, 6],
  ]);
});

/** The same prime factors dealt out to other dimensions, ones thrown in. */
const deal = (primes: readonly number[]) =>
  fc.array(fc.nat(3), { minLength: primes.length, maxLength: primes.length }).map((dealt) => {
    const shape = [1, 1, 1, 1];
    for (const [i, prime] of primes.entries()) shape[dealt[i]!]! *= prime;
    return shape;
  });
const views = fc
  .array(fc.constantFrom(2, 2, 3, 5), { minLength: 1, maxLength: 5 })
  .chain((primes) => fc.tuple(deal(primes), deal(primes)))
  .map(([from, to]) => reshape(from, ...to));
property(test, 'any reshape', 'chnw', views, 120);

const flattens = fc.tuple(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }), fc.nat(4)).map(
  ([shape, axis]): Case => ({
    type: 'Flatten',
    inputs: [f32(...shape)],
    attributes: { axis: int(axis % (shape.length + 1)) },
  }),
);
property(test, 'any flatten', 'cn', flattens);

test("a shape that is computed when running is replaced by the tile's own", async () => {
  const shape: Input = { dtype: 'int64', shape: [2], values: [6, 4] };
  assert.is((await prove({ type: 'Reshape', inputs: [f32(2, 3, 4), shape] })).letters, 'cn');
});

test.run();
