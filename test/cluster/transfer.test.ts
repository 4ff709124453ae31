/** What messages cost a link: the evidence's own figures, and what each field adds. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Link, parseCluster } from '../../compiler/cluster/cluster.ts';
import { occupiedSeconds, queueOf, transferJoules, transferSeconds } from '../../compiler/cluster/transfer.ts';

const test = suite('transfer');
const linkOf = (fields: Record<string, unknown>): Link =>
  parseCluster({ devices: { a: {}, b: {} }, links: [{ between: ['a', 'b'], ...fields }] }).links[0]!;
const close = (is: number, expected: number) =>
  assert.ok(Math.abs(is - expected) <= 1e-12 * Math.abs(expected), `${is}, ${expected} expected`);

test('[1,32,112,112] at 16 bit over Gigabit Ethernet: 6.534046 ms, 3.9204276 mJ', () => {
  const bytes = 32 * 112 * 112 * 2;
  const gigabit = linkOf({ link: 'ethernet-1000' });
  close(transferSeconds(gigabit, bytes) * 1e3, 6.534046);
  close(transferJoules(gigabit, bytes) * 1e3, 3.9204276);
  close(occupiedSeconds(gigabit, bytes), transferSeconds(gigabit, bytes) - 5 * 6e-9);
});

test('over 100 Mbit/s the same frames take ten times as long', () => {
  const [fast, slow] = [linkOf({ link: 'ethernet-1000' }), linkOf({ link: 'ethernet-100' })];
  for (const bytes of [1, 1500, 1501, 802816]) close(occupiedSeconds(slow, bytes), 10 * occupiedSeconds(fast, bytes));
});

test('a frame that is begun counts whole, a message of nothing has none', () => {
  const link = linkOf({ bandwidth: '1 MB/s', frame: { payload: '1000 B', overhead: '100 B' } });
  const sizes = { 0: 0, 1: 101, 1000: 1100, 1001: 1201, 2500: 2800 };
  for (const [bytes, wire] of Object.entries(sizes)) close(occupiedSeconds(link, Number(bytes)), wire / 1e6);
});

test('overhead keeps the link busy, latency does not', () => {
  const link = linkOf({ bandwidth: '1 MB/s', latency: '3 ms', overhead: '2 ms' });
  close(occupiedSeconds(link, 1000), 3e-3);
  close(transferSeconds(link, 1000), 6e-3);
});

test('energy: by the byte of the message, and by the time it is under way', () => {
  close(transferJoules(linkOf({ bandwidth: '1 MB/s', energy: '5 nJ/B' }), 1000), 5e-6);
  const link = linkOf({ bandwidth: '1 MB/s', latency: '4 ms', overhead: '1 ms', energy: '5 nJ/B', power: '2 W' });
  close(transferJoules(link, 1000), 5e-6 + 2 * 6e-3);
  assert.is(transferJoules(linkOf({ link: 'wifi-80' }), 1000), 0);
});

test('a queue each direction, or one for both', () => {
  const full = linkOf({ bandwidth: '1 MB/s' });
  const half = linkOf({ bandwidth: '1 MB/s', duplex: 'half' });
  assert.not.equal(queueOf(full, 'a'), queueOf(full, 'b'));
  assert.is(queueOf(half, 'a'), queueOf(half, 'b'));
});

test.run();
