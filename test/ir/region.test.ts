/** The laws of regions, against sets of points. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  contains,
  count,
  equalRegions,
  formatRegion,
  hull,
  intersect,
  isEmpty,
  parseRegion,
  type Region,
  relativeTo,
  type Span,
  subtract,
  subtractAll,
  wholeRegion,
} from '../../compiler/ir/region.ts';

const test = suite('region');

const SIZE = 5;
const span = fc.tuple(fc.nat(SIZE), fc.nat(SIZE)).map(([a, b]): Span => (a < b ? [a, b] : [b, a]));
const regions = (n: number) =>
  fc
    .nat(3)
    .chain((rank) => fc.array(fc.array(span, { minLength: rank, maxLength: rank }), { minLength: n, maxLength: n }));

/** Every point in the region, as text. */
function points(region: Region): Set<string> {
  let all: number[][] = [[]];
  for (const [begin, end] of region) {
    all = all.flatMap((point) => Array.from({ length: Math.max(0, end - begin) }, (_, i) => [...point, begin + i]));
  }
  return new Set(all.map(String));
}
const sorted = (set: Iterable<string>) => [...set].sort();
const check = (n: number, holds: (...given: Region[]) => void) =>
  fc.assert(
    fc.property(regions(n), (given) => holds(...given)),
    { numRuns: 300 },
  );

/** Non-empty, disjoint, and together exactly `expected`. */
function tiles(pieces: readonly Region[], expected: Set<string>): void {
  const found = pieces.flatMap((piece) => [...points(piece)]);
  assert.ok(pieces.every((piece) => !isEmpty(piece)));
  assert.is(new Set(found).size, found.length, 'disjoint');
  assert.equal(sorted(found), sorted(expected));
}

test('count and isEmpty', () => {
  check(1, (a) => {
    assert.is(count(a!), points(a!).size);
    assert.is(isEmpty(a!), points(a!).size === 0);
  });
});

test('intersect is what both have', () => {
  check(2, (a, b) => {
    const both = [...points(a!)].filter((point) => points(b!).has(point));
    assert.equal(sorted(points(intersect(a!, b!))), sorted(both));
  });
});

test('subtract and intersect partition a region', () => {
  check(2, (a, b) => {
    const rest = [...points(a!)].filter((point) => !points(b!).has(point));
    tiles(subtract(a!, b!), new Set(rest));
  });
});

test('subtractAll leaves what none of the others has, whatever their order', () => {
  check(4, (a, ...others) => {
    const rest = new Set([...points(a!)].filter((point) => others.every((other) => !points(other!).has(point))));
    tiles(subtractAll(a!, others), rest);
    tiles(subtractAll(a!, others.toReversed()), rest);
  });
});

test('hull holds every region, and no smaller one does', () => {
  check(3, (...all) => {
    const found = hull(all);
    if (all.every(isEmpty)) return assert.ok(isEmpty(found));
    assert.ok(all.every((region) => contains(found, region)));
    for (const [axis, [begin, end]] of found.entries()) {
      for (const smaller of [[begin + 1, end] as const, [begin, end - 1] as const]) {
        const region = found.map((own, i) => (i === axis ? smaller : own));
        assert.not(
          all.every((one) => contains(region, one)),
          `${formatRegion(region)} would do`,
        );
      }
    }
  });
});

test('contains is the subset of points', () => {
  check(2, (a, b) => {
    const subset = [...points(b!)].every((point) => points(a!).has(point));
    assert.is(contains(a!, b!), subset);
  });
});

test('relativeTo moves a region to the origin of another', () => {
  check(2, (a, b) => {
    const moved = relativeTo(a!, b!);
    assert.is(count(moved), count(a!));
    const back = relativeTo(
      moved,
      b!.map(([begin]): Span => [-begin, -begin]),
    );
    assert.ok(equalRegions(back, a!));
  });
});

test('text form reads back, with and without the sizes', () => {
  check(1, (region) => {
    const shape = region!.map(() => SIZE);
    assert.equal(parseRegion(formatRegion(region!, shape), shape), region);
    const unknown = region!.map(() => null);
    assert.equal(parseRegion(formatRegion(region!, unknown), unknown), region);
  });
  assert.is(formatRegion(wholeRegion([4, 5]), [4, 5]), '[:,:]');
  assert.is(formatRegion([[1, 4]], [4]), '[1:4]');
  assert.is(formatRegion([], []), '[]');
  assert.equal(parseRegion(' [ 1: , :2 ] ', [4, 5]), [
    [1, 4],
    [0, 2],
  ]);
});

test('what is no region is refused', () => {
  for (const text of ['', '0:4', '[0:4', '[a:b]', '[0:4,0:4]', '[-1:3]', '[1:2:3]', '[]', '[,]', '[4]', '[1.5:2]']) {
    assert.is(parseRegion(text, [4]), undefined, text);
  }
  for (const text of ['[:]', '[1:]']) assert.is(parseRegion(text, [null]), undefined, `${text} of an unknown size`);
});

test.run();
