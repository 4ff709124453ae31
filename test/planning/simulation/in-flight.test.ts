/** Workloads simulated: one inference against a simulation step by step, several by hand and by what must hold for any. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { simulateInFlight, simulateOne } from '../../../compiler/planning/simulation/in-flight.ts';
import type { Workload, WorkStep } from '../../../compiler/planning/simulation/workload.ts';
import { arbitraryWorkload, endsOf } from './arbitrary-workload.ts';

const test = suite('in flight');
const runs = { numRuns: 1000, seed: 3 };

test('random workloads, one inference: every step ends when it does step by step', () => {
  let waited = 0;
  fc.assert(
    fc.property(arbitraryWorkload, (workload) => {
      const { steps, end } = simulateOne(workload);
      const ends = steps.map((own) => own.map((step) => step.end));
      assert.equal(ends, endsOf(workload));
      assert.is(end, Math.max(0, ...ends.flat()));
      waited += steps.flat().filter(({ begin, ready }) => ready > begin).length;
    }),
    runs,
  );
  assert.ok(waited > 500, `${waited} steps wait`);
});

test('random workloads, several inferences: no more than allowed at once, one thing at a time, in the order of the program', () => {
  fc.assert(
    fc.property(arbitraryWorkload, fc.integer({ min: 1, max: 4 }), (workload, inFlight) => {
      const all = simulateInFlight(workload, { inferences: 9, inFlight });
      const alone = simulateOne(workload);
      for (const [i, { begin, end, steps, transfers }] of all.entries()) {
        assert.is(begin, all[i - inFlight]?.end ?? 0);
        assert.ok(end - begin >= alone.end - 1e-9, 'company makes nothing faster');
        for (const own of steps) {
          for (const [n, step] of own.entries()) {
            assert.ok(step.begin >= (own[n - 1]?.end ?? begin) && step.ready >= step.begin);
            assert.ok(step.start >= step.ready && step.end >= step.start);
          }
        }
        for (const { issued, start, end: left, arrived } of transfers) {
          assert.ok(issued <= start && start <= left && left <= arrived);
        }
      }
      for (const [device] of workload.devices.entries()) {
        const spans = all.flatMap(({ steps }) => steps[device]!).filter(({ start, end }) => end > start);
        spans.sort((a, b) => a.start - b.start);
        for (const [n, { start }] of spans.entries()) assert.ok(n === 0 || start >= spans[n - 1]!.end);
      }
      const total = (device: number) => workload.devices[device]!.steps.reduce((sum, { seconds }) => sum + seconds, 0);
      const busiest = Math.max(...workload.devices.map((_, i) => total(i)));
      assert.ok(all.at(-1)!.end >= 9 * busiest - 1e-9);
    }),
    { ...runs, numRuns: 300 },
  );
});

const segment = (id: number, seconds: number): WorkStep => ({ kind: 'segment', id, name: `s${id}`, seconds });
const end = (kind: 'send' | 'receive', id: number, seconds = 0): WorkStep => ({ kind, id, name: `x${id}`, seconds });

/** a computes 2 s, sends for 1 s (and 0.5 s of latency) to b, which computes 3 s. */
const stages: Workload = {
  devices: [
    { device: 'a', power: null, steps: [segment(0, 2), end('send', 7)] },
    { device: 'b', power: null, steps: [end('receive', 7), segment(0, 3)] },
  ],
  channels: [{ id: 7, from: 'a', to: 'b', bytes: 1, link: 'a b', seconds: 1, latency: 0.5, lead: 0, joules: 0 }],
};
const endsWith = (inFlight: number, workload = stages) =>
  simulateInFlight(workload, { inferences: 5, inFlight }).map((one) => one.end);

test('by hand: one at a time takes the latency, enough at once take what the slowest stage takes', () => {
  assert.equal(endsWith(1), [6.5, 13, 19.5, 26, 32.5]);
  // The third begins when the first is done.
  assert.equal(endsWith(2), [6.5, 9.5, 13, 16, 19.5]);
  assert.equal(endsWith(3), [6.5, 9.5, 12.5, 15.5, 18.5]);
  const [, second] = simulateInFlight(stages, { inferences: 2, inFlight: 2 });
  // It is there while b computes the first.
  assert.equal(second!.steps[1], [
    { begin: 0, ready: 5.5, start: 6.5, end: 6.5 },
    { begin: 6.5, ready: 6.5, start: 6.5, end: 9.5 },
  ]);
  assert.equal(second!.transfers, [{ issued: 4, start: 4, end: 5, arrived: 5.5 }]);
});

test('by hand: of the inferences that are ready the earliest is computed first, and messages are handled before any', () => {
  // a: 1 s, to b and back, 4 s more. The second inference's first segment runs while the first one travels.
  const back: Workload = {
    devices: [
      {
        device: 'a',
        power: null,
        steps: [segment(0, 1), end('send', 0, 0.25), end('receive', 1, 0.25), segment(1, 4)],
      },
      { device: 'b', power: null, steps: [end('receive', 0), segment(0, 1), end('send', 1)] },
    ],
    channels: [
      { id: 0, from: 'a', to: 'b', bytes: 1, link: 'l', seconds: 0.5, latency: 0, lead: 0, joules: 0 },
      { id: 1, from: 'b', to: 'a', bytes: 1, link: 'l', seconds: 0.5, latency: 0, lead: 0, joules: 0 },
    ],
  };
  const [first, second, third] = simulateInFlight(back, { inferences: 3, inFlight: 3 });
  const starts = [first, second, third].map((one) => one!.steps[0]!.map(({ start }) => start));
  assert.equal(starts, [
    [0, 1, 3.75, 4],
    [1.25, 2.25, 8, 8.5],
    [2.5, 3.5, 8.25, 12.5],
  ]);
});

test('nothing to do takes no time; a receive that nobody sends for, or that waits for a later send, is an error', () => {
  assert.is(simulateOne({ devices: [{ device: 'a', power: null, steps: [] }], channels: [] }).end, 0);
  const [a, b] = stages.devices;
  assert.throws(() => simulateOne({ ...stages, devices: [b!] }), /nobody sends on channel 7/);
  const reversed = { ...b!, steps: [end('receive', 7), segment(0, 1), end('send', 8)] };
  const channels = [...stages.channels, { ...stages.channels[0]!, id: 8, from: 'b', to: 'a', link: 'b a' }];
  const waiting = { ...a!, steps: [end('receive', 8), end('send', 7)] };
  assert.throws(() => simulateOne({ devices: [waiting, reversed], channels }), /wait for each other/);
});

test.run();
