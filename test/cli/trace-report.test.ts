/** A traced run worked out by hand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatReport, readTimeline, reportOf } from '../../compiler/cli/trace-report.ts';
import { CompileError } from '../../compiler/error.ts';
import type { DeviceTrace, TraceEvent } from '../../runtime/index.ts';
import { workFolder } from '../support/cli.ts';

const test = suite('trace report');
const work = workFolder();

const event = (kind: TraceEvent['kind'], id: number, start: number, end: number): TraceEvent => ({
  kind,
  inference: 0,
  id,
  start,
  end,
});
const trace = (device: string, events: readonly TraceEvent[]): DeviceTrace => ({
  device,
  devices: ['a', 'b'],
  channels: [],
  events,
  left: 0,
  clockError: 0,
});

/** a computes 0 to 10, sends at 10 what b, which computes 4 to 14 and 20 to 25, takes in at 18. */
const TRACES = [
  trace('a', [event('segment', 0, 1000, 1010), event('send', 3, 1010, 1011)]),
  trace('b', [
    event('segment', 0, 1004, 1014),
    event('arrival', 3, 1018, 1018),
    event('segment', 1, 1020, 1025),
    // Of which nobody knows who sent it.
    event('arrival', 4, 1025, 1025),
  ]),
];
const PREDICTED = {
  devices: [
    { device: 'a', steps: [{ kind: 'segment' as const, segment: 0, start: 0, end: 0.25 }] },
    {
      device: 'b',
      steps: [
        { kind: 'segment' as const, segment: 0, start: 0, end: 0.5 },
        { kind: 'receive' as const, start: 0.5, end: 0.75 },
        { kind: 'segment' as const, segment: 1, start: 0.75, end: 0.875 },
      ],
    },
  ],
  channels: [{ id: 3, hidden: 0.5, start: 0.25, end: 0.75 }],
};

test('steps, transfers, what was hidden of them, how busy devices were', () => {
  const report = reportOf(TRACES, PREDICTED);
  assert.equal(report.steps, [
    { device: 'a', segment: 0, runs: 1, predictedMs: 250, measuredMs: 10 },
    { device: 'b', segment: 0, runs: 1, predictedMs: 500, measuredMs: 10 },
    { device: 'b', segment: 1, runs: 1, predictedMs: 125, measuredMs: 5 },
  ]);
  assert.is(report.transfers.length, 1);
  const { channel, from, to, runs, measuredMs, predictedHidden, hidden } = report.transfers[0]!;
  assert.equal(
    { channel, from, to, runs, measuredMs, predictedHidden, hidden },
    {
      channel: 3,
      from: 'a',
      to: 'b',
      runs: 1,
      measuredMs: 8,
      predictedHidden: 0.5,
      hidden: 0.5,
    },
  );
  assert.equal([report.hidden, report.predictedHidden], [0.5, 0.5]);
  assert.equal(report.utilisation, { a: 10 / 25, b: 15 / 25 });
  assert.match(formatReport(report), /^a → b on 3 +500\.000 ms +8\.000 ms +50 % +50 %$/m);
});

test('nothing that is transferred: all of it is hidden', () => {
  const report = reportOf([trace('a', [event('segment', 0, 0, 10)])], { ...PREDICTED, channels: [] });
  assert.equal([report.hidden, report.transfers, report.utilisation.a], [1, [], 1]);
  assert.not.match(formatReport(report), /communication/);
});

test('a timeline.json that is none', async () => {
  work.write('timeline.json', '{"devices": 3}');
  const error = await readTimeline(work.path('.')).catch((wrong: unknown) => wrong);
  assert.ok(error instanceof CompileError && error.code === 'timeline');
});

test.run();
