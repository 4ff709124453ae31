/** A trace has bandwidths as often as they were logged, and each moment of it counts alike. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { generator } from '../../../runtime/random.ts';
import { mean, oracle, type Played, quantile, switches, weighted } from './outcome.ts';
import { drawnTrace, pieces } from './trace.ts';

const test = suite('adaptive');

test('a trace has bandwidths as often as they were logged, in an order of its seed', () => {
  const shares = new Map([
    [0, 0.25],
    [4, 0.5],
    [20, 0.25],
  ]);
  const trace = drawnTrace(shares, 40, 1, generator(1));
  const count = (megabytes: number) => trace.filter(({ bandwidth }) => bandwidth === megabytes * 1e6).length;
  assert.equal([count(0.5), count(4), count(20)], [10, 20, 10]);
  assert.ok(trace.every(({ seconds }) => seconds >= 0.4 && seconds <= 1.6));
  assert.equal(drawnTrace(shares, 40, 1, generator(1)), trace);
  assert.not.equal(drawnTrace(shares, 40, 1, generator(2)), trace);
  const parts = pieces(trace, 10);
  assert.equal(parts.flat(), trace);
  assert.ok(parts.length >= 3);
});

const inference = (began: number, ms: number, plan: string) => ({ began, ms, plan, repeated: false });

test('a lap counts by its time, not by its inferences; the oracle has the best plan of each', () => {
  const laps = [
    { bandwidth: 1, from: 0, to: 1000 },
    { bandwidth: 2, from: 1000, to: 2000 },
    { bandwidth: 1, from: 2000, to: 2100 },
  ];
  const slow: Played = {
    laps,
    inferences: [
      inference(0, 500, 's'),
      inference(500, 490, 's'),
      inference(1000, 490, 's'),
      inference(1490, 700, 's'),
    ],
  };
  const quick = Array.from({ length: 10 }, (_, i) => inference(1000 + 100 * i, 90, 'q'));
  const fast: Played = { laps, inferences: [inference(0, 1000, 'q'), ...quick] };
  // The last lap has the inference that was under way.
  assert.is(mean(weighted(slow)), (495 * 1000 + 595 * 1000 + 700 * 100) / 2100);
  assert.is(mean(weighted(fast)), (1000 * 1000 + 90 * 1000 + 90 * 100) / 2100);
  assert.is(quantile(weighted(fast), 0.5), 90);
  assert.is(quantile(weighted(fast), 0.95), 1000);
  // What had two bandwidths tells of none: 500 and 490, nine times 90, and again 500 and 490.
  assert.is(mean(oracle(laps, [slow, fast])), (495 * 1000 + 90 * 1000 + 495 * 100) / 2100);
  assert.is(switches([...slow.inferences, ...quick, inference(0, 1, 's')]), 2);
});

test.run();
