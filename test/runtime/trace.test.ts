/** Traces: each device's own rows do not overlap, transfers have both ends, and sums are those of the statistics. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { beginOf, type ChromeEvent, chromeTrace } from '../../runtime/chrome-trace.ts';
import { decodeFrame, encodeFrame } from '../../runtime/frame.ts';
import { readDeviceManifest } from '../../runtime/read-manifest.ts';
import { ClockOffset, type DeviceTrace, Trace, type TraceEvent } from '../../runtime/trace.ts';
import { given, LINE, ROUND_TRIP, removeBuilds, writeBuild } from './fixture.ts';
import { closeAll, serverAndStranger } from './together.ts';

const test = suite('trace');
test.after.each(closeAll);
test.after(removeBuilds);

const INFERENCES = 9;
const of = ({ events }: DeviceTrace, kind: TraceEvent['kind']) => events.filter((event) => event.kind === kind);
const key = ({ inference, id }: TraceEvent) => `${inference}/${id}`;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

/** A traced run of several inferences in flight. */
async function run(fixture: typeof LINE, transport: 'memory' | 'tcp') {
  const bundle = await openBundle(await writeBuild(fixture), { transport, timeout: 20, trace: true });
  await Promise.all(Array.from({ length: INFERENCES }, (_, n) => bundle.infer(given(n, 2, 3, 4))));
  const [traces, stats] = [await bundle.trace(), await bundle.stats()];
  await bundle.close();
  return { traces, stats };
}

for (const transport of ['memory', 'tcp'] as const) {
  for (const [name, fixture] of Object.entries({ ROUND_TRIP, LINE })) {
    test(`${name} over ${transport}: rows, transfers and sums`, async () => {
      const { traces, stats } = await run(fixture, transport);
      assert.equal(
        traces.map(({ device }) => device),
        Object.keys(fixture.devices),
      );
      for (const trace of traces) {
        const own = stats[trace.device];
        assert.ok(own && trace.clockError !== null && trace.clockError >= 0);
        assert.is(trace.left, 0);
        const segments = of(trace, 'segment');
        for (const [i, { start }] of segments.entries()) assert.ok(start >= (segments[i - 1]?.end ?? 0));
        for (const [id, { runs, ms }] of own.segments.entries()) {
          const ran = segments.filter((event) => event.id === id);
          assert.is(ran.length, runs);
          const traced = sum(ran.map(({ start, end }) => end - start));
          // As numbers, times since the epoch are exact to a quarter of a microsecond.
          assert.ok(Math.abs(traced - ms) <= 0.001 * runs, `${traced} ms traced, ${ms} ms counted`);
        }
        assert.is(of(trace, 'send').length * 16, own.bytesSent);
        assert.is(of(trace, 'arrival').length * 16, own.bytesReceived);
        assert.is(of(trace, 'wait').length, of(trace, 'arrival').length);
      }
      const sent = new Map(traces.flatMap((trace) => of(trace, 'send').map((event) => [key(event), event])));
      const came = traces.flatMap((trace) => of(trace, 'arrival').map((event) => ({ event, trace })));
      assert.is(sent.size, INFERENCES * fixture.channels.length);
      assert.is(came.length, sent.size);
      const off = sum(traces.map(({ clockError }) => clockError ?? 0));
      for (const { event } of came) {
        assert.ok(event.end + off >= (sent.get(key(event))?.start ?? Infinity), 'it arrived before it was sent');
      }
    });
  }
}

/** Every number that a viewer needs, or nothing. */
const isWhole = ({ ph, ts, dur, pid, tid }: ChromeEvent) =>
  Number.isInteger(pid) &&
  Number.isInteger(tid) &&
  (ph === 'M' || (Number.isFinite(ts) && (ts ?? -1) >= 0)) &&
  (ph !== 'X' || (Number.isFinite(dur) && (dur ?? -1) >= 0));

test('as viewers read it: a process a device, three rows each, an arrow for each transfer', async () => {
  const { traces } = await run(LINE, 'memory');
  const { traceEvents } = JSON.parse(JSON.stringify(chromeTrace(traces, beginOf(traces)))) as {
    traceEvents: ChromeEvent[];
  };
  assert.ok(traceEvents.every(isWhole));
  const named = (name: string) => traceEvents.filter((event) => event.name === name).map(({ args }) => args?.name);
  assert.equal(named('process_name'), ['server', 'robot', 'screen']);
  assert.equal(named('thread_name').slice(0, 3), ['compute', 'send', 'receive']);
  const count = (ph: ChromeEvent['ph']) => traceEvents.filter((event) => event.ph === ph);
  assert.is(count('s').length, 3 * INFERENCES);
  const ids = (ph: ChromeEvent['ph']) =>
    count(ph)
      .map(({ id }) => id)
      .sort();
  assert.equal(ids('s'), ids('f'));
  assert.equal(ids('b'), ids('e'));
  // An arrow ends and begins in a slice of its row.
  for (const { pid, tid, ts = -1 } of [...count('s'), ...count('f')]) {
    const within = (event: ChromeEvent) => event.pid === pid && event.tid === tid && event.ts === ts;
    assert.ok(count('X').some(within));
  }
});

test('nothing is recorded unless asked for', async () => {
  const bundle = await openBundle(await writeBuild(ROUND_TRIP), { transport: 'memory', timeout: 20 });
  await bundle.infer(given(1, 2, 3, 4));
  assert.equal(await bundle.trace(), []);
  await bundle.close();
});

test('a trace has an end, and says how much it left out', async () => {
  const trace = new Trace(await readDeviceManifest(join(await writeBuild(ROUND_TRIP), 'robot')));
  for (let i = 0; i < 100_003; i++) trace.add('segment', i, 0, performance.now());
  const { events, left } = trace.export();
  assert.equal([events.length, left], [100_000, 3]);
});

test('clocks: the shortest round trip tells how far another is ahead', () => {
  const clock = new ClockOffset();
  // 500 ahead; ways of 3 and 9, 1 and 1, 40 and 2.
  assert.ok(clock.take(100, 603, 112));
  assert.equal([clock.offset, clock.error], [497, 6]);
  clock.take(200, 701, 202);
  clock.take(300, 840, 342);
  assert.equal([clock.offset, clock.error], [500, 1]);
  let more = 3;
  while (clock.take(400, 900, 500)) more++;
  assert.is(more, 15);
});

test('a peer is told the time by the device that it asks', async () => {
  const { robot } = await serverAndStranger();
  await robot.say({ kind: 'clock', asked: 12.5, answered: null });
  const answer = await robot.hears();
  assert.ok(answer.kind === 'clock' && answer.asked === 12.5);
  assert.ok(Math.abs((answer.answered ?? 0) - Date.now()) < 60_000);
  const [header] = encodeFrame({ kind: 'clock', asked: 1, answered: null });
  assert.is(decodeFrame([header, Buffer.alloc(15)]).kind, 'malformed');
});

test.run();
