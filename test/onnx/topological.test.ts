/** The order of nodes: makers first, otherwise as given; cycles are found. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { topological } from '../../compiler/onnx/topological.ts';

/** Step i writes its own name. */
const steps = (reads: readonly (readonly number[])[]) =>
  reads.map((makers, i) => ({ reads: makers.map(String), writes: [String(i)] }));

test('what is in order stays as it is', () => {
  assert.equal(topological(steps([[], [0], [], [1, 2]])), { order: [0, 1, 2, 3] });
});

test('a node goes to the first place where everything it reads is made', () => {
  assert.equal(topological(steps([[2], [], [1], [0]])), { order: [1, 2, 0, 3] });
});

test('every step comes after its makers, whatever the order it was given in', () => {
  const shuffled = fc.shuffledSubarray(
    Array.from({ length: 12 }, (_, i) => i),
    { minLength: 12 },
  );
  fc.assert(
    fc.property(shuffled, fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 }), (names, edges) => {
      const forward = edges.filter(([from, to]) => from < to);
      const reads = names.map((name) => forward.filter(([, to]) => to === name).map(([from]) => String(from)));
      const result = topological(reads.map((makers, i) => ({ reads: makers, writes: [String(names[i])] })));
      if (!('order' in result)) throw new Error('a cycle where there is none');
      assert.is(new Set(result.order).size, 12);
      const place = new Map(result.order.map((i, at) => [names[i], at]));
      for (const [from, to] of forward) assert.ok(place.get(from)! < place.get(to)!);
    }),
  );
});

test('a cycle is named in the order of the data, from its first node; what hangs on it is not', () => {
  assert.equal(topological(steps([[], [0, 3], [1], [2], [3]])), { cycle: [1, 2, 3] });
  assert.equal(topological(steps([[0]])), { cycle: [0] });
});

test('an omitted value joins nobody', () => {
  const both = { reads: ['', 'a'], writes: ['', 'b'] };
  assert.equal(topological([both, { reads: ['b', ''], writes: ['', 'c'] }]), { order: [0, 1] });
});

test('chains of 100,000 nodes, and as long a cycle', () => {
  const chain = steps(Array.from({ length: 100_000 }, (_, i) => (i ? [i - 1] : [])));
  assert.ok('order' in topological(chain));
  assert.ok('order' in topological(chain.reverse()));
  const round = steps(Array.from({ length: 100_000 }, (_, i) => [(i + 99_999) % 100_000]));
  const result = topological(round);
  assert.is('cycle' in result && result.cycle.length, 100_000);
});

test.run();
