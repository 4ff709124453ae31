/** Choices that depend on the bandwidth, against plans that are judged again at every bandwidth. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bandwidthTable, flipsOf, withBandwidth } from '../compiler/bandwidths.ts';
import { bandwidthRange } from '../compiler/cli/bandwidth-range.ts';
import { best, isPlanned, type Judged, judge, type Planned, TOLERANCE } from '../compiler/policies.ts';
import { errorOf } from './support/error.ts';
import { clusterOf, imported } from './support/imported.ts';

const test = suite('bandwidths');
const program = await imported('convChain');
const cluster = clusterOf({ a: 0.001, b: 0.008 }, 'a', '100 Mbit/s');
const secondsAt = async (factor: number, policy: string) => {
  const one = await judge(
    program,
    withBandwidth(cluster, (bandwidth) => bandwidth * factor),
    policy,
  );
  assert.ok(isPlanned(one));
  return one.schedule.makespan;
};

test('a flip is where the other plan becomes the better one by more than predictions are off, and not before', async () => {
  const judged: Judged[] = [];
  for (const policy of ['local', 'offload']) judged.push(await judge(program, cluster, policy));
  const chosen = best(cluster, judged);
  const { below, above } = flipsOf(program, cluster, judged, chosen);
  const flip = below ?? above;
  assert.ok(flip && !(below && above), 'two plans, one of which no bandwidth matters to');
  assert.is.not(flip.policy, chosen.policy);
  const outward = flip === above ? 1.02 : 1 / 1.02;
  const isBetterAt = async (factor: number) =>
    (1 + TOLERANCE) * (await secondsAt(factor, flip.policy)) < (await secondsAt(factor, chosen.policy));
  assert.ok(await isBetterAt(flip.factor * outward));
  assert.not.ok(await isBetterAt(flip.factor / outward));
});

/** A plan that is predicted to take so long, and sends so often. */
const predicted = ({ plan, schedule }: Planned, policy: string, makespan: number, transfers: number): Planned => ({
  policy,
  plan,
  schedule: { ...schedule, makespan, channels: Array.from({ length: transfers }, () => schedule.channels[0]!) },
});

test('of plans that differ by less than predictions are off, the one with the fewest transfers; of equally many the faster', async () => {
  const one = await judge(program, cluster, 'offload');
  assert.ok(isPlanned(one));
  const of = (...all: [string, number, number][]) =>
    best(
      cluster,
      all.map(([policy, seconds, transfers]) => predicted(one, policy, seconds, transfers)),
    ).policy;
  assert.is(of(['hybrid', 1, 40], ['offload', 1.029, 2]), 'offload');
  assert.is(of(['hybrid', 1, 40], ['offload', 1.031, 2]), 'hybrid');
  assert.is(of(['offload', 1.02, 2], ['hybrid', 1, 40], ['cut', 1.01, 2], ['local', 1.04, 0]), 'cut');
  assert.is(of(['offload', 1, 2], ['cut', 1, 2]), 'offload');
});

test('nothing flips a choice without alternatives', async () => {
  const only = await judge(program, cluster, 'local');
  assert.equal(flipsOf(program, cluster, [only], best(cluster, [only])), { below: null, above: null });
});

test('a table covers the range without gaps, and none of its plans is worse than a policy’s own', async () => {
  const names = ['local', 'offload', 'cut', 'spatial'];
  const bandwidths = bandwidthRange('1..2000Mbit/s/9');
  const { rows, policies } = await bandwidthTable(program, cluster, names, bandwidths, { tolerance: 0.01 });
  const covered = rows.flatMap(({ values }) => values);
  assert.equal(
    covered.map(({ bandwidth }) => bandwidth),
    bandwidths,
  );
  assert.ok(rows.length > 1, 'plans change over three orders of magnitude');
  for (const [i, { bandwidth, value, best: least }] of covered.entries()) {
    assert.ok(value <= 1.01 * least);
    for (const name of names) assert.ok(least <= policies[name]![i]! * (1 + 1e-9), `${name} at ${bandwidth}`);
  }
  for (const { chosen, values } of rows) {
    for (const { bandwidth, value } of values) {
      const there = withBandwidth(cluster, () => bandwidth);
      const again = await judge(program, there, chosen.policy);
      assert.ok(isPlanned(again) && value > 0 && again.schedule.makespan <= value * 2);
    }
  }
});

test('with enough tolerance one plan covers everything', async () => {
  const bandwidths = bandwidthRange('1..2000Mbit/s/5');
  const { rows } = await bandwidthTable(program, cluster, ['local', 'offload'], bandwidths, { tolerance: 1e9 });
  assert.is(rows.length, 1);
});

test('ranges are spaced by their logarithm; units may be given once', () => {
  const close = (text: string, expected: readonly number[]) => {
    const found = bandwidthRange(text);
    assert.is(found.length, expected.length);
    for (const [i, value] of found.entries()) assert.ok(Math.abs(value / expected[i]! - 1) < 1e-12, text);
  };
  close('1..100Mbit/s/3', [125e3, 125e4, 125e5]);
  close('800 kbit/s .. 1 Gbit/s/2', [1e5, 125e6]);
  assert.is(bandwidthRange('1..240Mbit/s').length, 12);
});

for (const text of [
  '1',
  '1..',
  '1..2',
  '0..5Mbit/s',
  '5..1Mbit/s',
  '1..5 apples',
  '1..5Mbit/s/1',
  '1..5Mbit/s/100000',
]) {
  test(`--bandwidth ${text} is refused`, async () => {
    const error = await errorOf('flag', () => bandwidthRange(text));
    assert.match(error.message, '--bandwidth');
  });
}

test.run();
