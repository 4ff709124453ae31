import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Case, f32, type Input, ints, longs, prove } from './brute-force.ts';
import { property, rows } from './suite.ts';

const test = suite('slice');

const x = f32(3, 7, 6);
const fed = (...values: number[]): Input => ({ ...longs(...values), constant: false });

rows(test, [
  ['ncw,*,*->ncw', 'cnw', { type: 'Slice', inputs: [x, longs(0, 2), longs(3, 6)] }],
  ['ncw,*,*,*->ncw', 'cnw', { type: 'Slice', inputs: [x, longs(-4), longs(9999), longs(-2)] }],
  ['ncw,*,*,*,*->ncw', 'cnw', { type: 'Slice', inputs: [x, longs(1), longs(6), longs(1), longs(2)] }],
  // Backwards from the end to the very front.
  [
    'ncw,*,*,*,*->ncw',
    'cnw',
    { type: 'Slice', inputs: [x, longs(-1, 9), longs(-9999, 0), longs(1, 2), longs(-1, -2)] },
  ],
  ['ncw,*,*,,*->ncw', 'cnw', { type: 'Slice', inputs: [x, longs(2, 5, 1), longs(-100, 0, 6), null, longs(-1, -2, 3)] }],
  [
    'ncw->ncw',
    'cnw',
    { type: 'Slice', opset: 9, inputs: [x], attributes: { starts: ints(1, -5), ends: ints(3, 6), axes: ints(0, 2) } },
  ],
  ['ncw->ncw', 'cnw', { type: 'Slice', opset: 1, inputs: [x], attributes: { starts: ints(1), ends: ints(3) } }],
  // Where it is sliced is fed: dimensions that are not named, or keep their size going forwards, can be cut.
  ['ncw,*,*,*->ncw', 'nw', { type: 'Slice', inputs: [x, fed(1), fed(5), longs(1)] }],
  ['ncw,*,*,*->ncw', 'nw', { type: 'Slice', inputs: [x, longs(1), longs(5), fed(1)] }],
  ['ncw,*,*->ncw', 'cn', { type: 'Slice', inputs: [x, fed(-3, 0, 2), fed(99, 7, 4)] }],
  ['ncw,*,*,,*->ncw', 'cw', { type: 'Slice', inputs: [x, fed(-1, 0, -6), fed(-99, 7, 6), null, longs(-1, 1, 1)] }],
  ['ncw,*,*,*,*->ncw', 'nw', { type: 'Slice', inputs: [x, longs(0), longs(7), longs(1), fed(1)] }],
  ['ncw,*,*,*->ncw', 'nw', { type: 'DynamicSlice', opset: 1, inputs: [x, fed(1), fed(5), longs(1)] }],
]);

test('a tile of a slice backwards', async () => {
  const { cut } = await prove({ type: 'Slice', inputs: [f32(7), longs(-1), longs(-99), longs(0), longs(-2)] });
  const tile = cut.tile({ n: [1, 3] });
  assert.equal(tile.inputs[0], [[2, 5]]);
  const values = tile.inputs.map((input) => (input && 'kind' in input ? input.data[0] : undefined));
  assert.equal(values, [undefined, 2, -4, undefined, undefined]);
});

const bound = fc.integer({ min: -9, max: 9 });
const any = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 3 }),
    picks: fc.array(fc.record({ start: bound, end: bound, step: fc.constantFrom(1, 1, 2, 3, -1, -2, -3) }), {
      minLength: 3,
      maxLength: 3,
    }),
    negative: fc.boolean(),
    fed: fc.oneof(fc.constant([]), fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })),
  })
  .filter(({ shape, picks }) => shape.every((size, i) => taken(size, picks[i]!) > 0))
  .map(({ shape, picks, negative, fed: told }): Case => {
    const of = picks.slice(0, shape.length);
    const axes = of.map((_, i) => (negative ? i - shape.length : i)).reverse();
    return {
      type: 'Slice',
      inputs: [
        f32(...shape),
        ...[
          of.map(({ start }) => start).reverse(),
          of.map(({ end }) => end).reverse(),
          axes,
          of.map(({ step }) => step).reverse(),
        ].map((values, i) => (told[i] ? fed : longs)(...values)),
      ],
    };
  });
function taken(size: number, { start, end, step }: { start: number; end: number; step: number }): number {
  const hold = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + size : value, low), high);
  const [first, last] =
    step > 0 ? [hold(start, 0, size), hold(end, 0, size)] : [hold(start, 0, size - 1), hold(end, -1, size - 1)];
  return Math.ceil((last - first) / step);
}
property(test, 'any slice', 'cnw', any, 100);

test.run();
