/** Between measured sizes, and beyond them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Measurements } from '../../../compiler/planning/costs/interpolate.ts';
import { point } from '../../support/made-profile.ts';

const test = suite('interpolate');

/** Whole, halves and quarters of h; halves of o. */
const some = new Measurements([
  point({ o: 64, h: 56 }, [100]),
  point({ o: 64, h: 28 }, [52]),
  point({ o: 64, h: 14 }, [30]),
  point({ o: 32, h: 56 }, [60]),
]);
const seconds = (o: number, h: number, of = some) => {
  const found = of.find({ o, h });
  return found && found.point.seconds[0]! * found.factor;
};
const close = (a: number | null, b: number) => assert.ok(a !== null && Math.abs(a - b) < 1e-9 * b, `${a} is not ${b}`);

test('what was measured is said as measured, whatever the order of letters', () => {
  const found = some.find({ h: 28, o: 64 })!;
  assert.equal([found.exact, found.factor, found.point.seconds], [true, 1, [52]]);
});

test('between two points on a line: straight', () => {
  assert.is(some.find({ o: 64, h: 42 })!.exact, false);
  close(seconds(64, 42), 76);
  close(seconds(64, 21), 41);
});

test('beyond the ends: as the last two points go, but never less than in proportion', () => {
  close(seconds(64, 112), 196);
  close(seconds(64, 7), 19);
  const steep = new Measurements([point({ h: 10 }, [10]), point({ h: 20 }, [40])]);
  close(steep.find({ h: 5 })!.factor * 10, 5);
  const falling = new Measurements([point({ h: 10 }, [10]), point({ h: 20 }, [8])]);
  close(falling.find({ h: 40 })!.factor * 8, 8);
});

test('two letters at once: from the nearest point, each along the nearest line', () => {
  // From (64, 28): half of o as at h = 56.
  close(seconds(32, 28), (52 * 60) / 100);
});

test('a letter that was never varied: in proportion', () => {
  const single = new Measurements([point({ o: 64, h: 56 }, [100])]);
  close(seconds(32, 56, single), 50);
});

test('too far from everything: null', () => {
  assert.is(some.find({ o: 64, h: 56 * 16 }), null);
  assert.is(new Measurements([]).find({ o: 1 }), null);
  assert.ok(new Measurements([]).isEmpty);
});

test('one answer is given twice alike', () => {
  assert.is(some.find({ o: 64, h: 42 }), some.find({ h: 42, o: 64 }));
});

test.run();
