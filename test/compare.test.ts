/** Comparing tensors: what is equal, what differs by how much, and how that is said in JSON. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Comparison, compare, comparisonData } from '../compiler/compare.ts';
import { toHalf } from '../fixtures/zoo/half.ts';
import { fromHalf } from '../runtime/half.ts';
import type { Tensor } from '../runtime/program.ts';

const test = suite('compare');

const floats = (...values: number[]): Tensor => ({
  type: 'float32',
  dims: [values.length],
  data: Float32Array.from(values),
});
const halves = (...values: number[]): Tensor => ({
  type: 'float16',
  dims: [values.length],
  data: Uint16Array.from(values, toHalf),
});

test('each element has its own margin and one of the largest', () => {
  const allowed = { rtol: 0.01, atol: 0.001 };
  assert.ok(compare('y', floats(101, 0.09), floats(100, 0), allowed).ok);
  const { ok, maxAbs, maxRel, diverges } = compare('y', floats(100, 0.5), floats(100, 0), allowed);
  assert.equal([ok, maxAbs, maxRel, diverges], [false, 0.5, 0.005, '[1]: 0.5, 0 expected']);
});

test('half-precision numbers are compared as numbers', () => {
  const { ok, maxAbs } = compare('y', halves(1, 2.5), halves(1, 2), { rtol: 0.1, atol: 0.1 });
  assert.equal([ok, maxAbs], [false, 0.5]);
  assert.equal([0x7c00, 0xfc00, 0x8000, 1].map(fromHalf), [Infinity, -Infinity, -0, 2 ** -24]);
  assert.ok(Number.isNaN(fromHalf(0x7e00)));
});

test('no number against a number is infinitely far, whatever comes after it; two of them are equal', () => {
  for (const [actual, expected] of [
    [floats(Number.NaN, 1.5), floats(0, 1)],
    [floats(0, 1.5), floats(Number.NaN, 1)],
    [floats(Infinity, 1.5), floats(1, 1)],
  ] as const) {
    const { ok, maxAbs } = compare('y', actual, expected, { rtol: 1, atol: 1 });
    assert.equal([ok, maxAbs], [false, Infinity]);
  }
  assert.is(compare('y', floats(Number.NaN, -Infinity), floats(Number.NaN, -Infinity)).maxAbs, 0);
});

test('JSON has a number for what is infinitely far', () => {
  const missing = compare('y', undefined, floats(1));
  assert.is(missing.maxAbs, Infinity);
  const { maxAbs, maxRel, ...rest } = JSON.parse(JSON.stringify(comparisonData(missing))) as Comparison;
  assert.ok(maxAbs > 1e308 && maxRel > 1e308);
  assert.equal(rest, { name: 'y', ok: false, diverges: 'missing' });
  const close = compare('y', floats(1.5), floats(1));
  assert.equal(comparisonData(close), close);
});

test.run();
