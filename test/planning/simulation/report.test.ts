/** What a simulation reports: by hand, against the figures that plans are compared by, and what of a file it refuses. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseWorkload } from '../../../compiler/planning/simulation/read-workload.ts';
import { type SimulationReport, simulate } from '../../../compiler/planning/simulation/report.ts';
import type { WorkChannel, Workload, WorkStep } from '../../../compiler/planning/simulation/workload.ts';
import { errorOf } from '../../support/error.ts';
import { arbitraryWorkload } from './arbitrary-workload.ts';

const test = suite('simulation report');

const segment = (id: number, seconds: number): WorkStep => ({ kind: 'segment', id, name: `s${id}`, seconds });
const message = (kind: 'send' | 'receive', id: number): WorkStep => ({ kind, id, name: `x${id}`, seconds: 0 });
const channel = (id: number, seconds: number): WorkChannel => ({
  ...{ id, from: 'a', to: 'b', bytes: 10 * seconds, link: 'a b' },
  ...{ seconds, latency: 0.5, lead: 0, joules: 2 },
});
const power = { idle: 1, compute: 11, send: 3, receive: 4 };
/** a computes 2 s, sends 1 s and 3 s of bytes at once; b computes 1 s beside, then receives both and computes 3 s. */
const two: Workload = {
  devices: [
    { device: 'a', power, steps: [segment(0, 2), message('send', 0), message('send', 1)] },
    { device: 'b', power, steps: [segment(0, 1), message('receive', 0), message('receive', 1), segment(1, 3)] },
  ],
  channels: [channel(0, 1), channel(1, 3)],
};
const near = (actual: number, expected: number, what: string) =>
  assert.ok(Math.abs(actual - expected) < 1e-9, `${what}: ${actual}, not ${expected}`);
const waitsOf = ({ steps }: SimulationReport, device: string, at: number) =>
  steps.filter((step) => step.device === device)[at]!.waits;

test('by hand, alone: latency, energy by state, what every step waits for', () => {
  const report = simulate(two, 1);
  // 2 s, then both transfers one after the other (1 s + 3 s + 0.5 s), then 3 s.
  near(report.latency, 9.5, 'latency');
  near(report.latencyInFlight, 9.5, 'one in flight is alone');
  near(report.throughput, 1 / 9.5, 'throughput');
  assert.is(report.bytes, 40);
  assert.equal(
    report.devices.map(({ joules }) => joules),
    [
      { idle: 9.5, compute: 20, send: 8, receive: 0 },
      { idle: 9.5, compute: 40, send: 0, receive: 12 },
    ],
  );
  near(report.joules!, 19 + 60 + 8 + 12 + 2 * 2, 'joules');
  assert.equal(report.links, [
    { link: 'a b', bytes: 40, utilisation: 4 / 9.5, utilisationInFlight: 4 / 9.5, joules: 4 },
  ]);
  assert.equal(waitsOf(report, 'a', 0), { device: 0, sender: 0, link: 0, transfer: 0 });
  // b comes to the first receive at 1: a computes for another second, then 1 s on the link and 0.5 s until it is there.
  assert.equal(waitsOf(report, 'b', 1), { device: 0, sender: 1, link: 0, transfer: 1.5 });
  // The second one was handed over at 2, begins at 3 when the link is free, and is waited for from 3.5 to 6.5.
  assert.equal(waitsOf(report, 'b', 2), { device: 0, sender: 0, link: 0, transfer: 3 });
  // Of 1.5 s nothing is hidden; of 4.5 s the 1.5 s that b waits for the first.
  near(report.hidden, 1 - (1.5 + 3) / (1.5 + 4.5), 'hidden');
  const [, receive] = report.steps.filter(({ device }) => device === 'b');
  assert.equal(
    [receive!.kind, receive!.from, receive!.link, receive!.start, receive!.end],
    ['receive', 'a', 'a b', 1, 3.5],
  );
});

test('by hand, several in flight: the busiest device or link says how many a second, others wait for it', () => {
  const report = simulate(two, 3);
  near(report.throughput, 1 / 4, 'b and the link take 4 s');
  assert.equal(
    report.devices.map(({ utilisationInFlight }) => utilisationInFlight),
    [0.5, 1],
  );
  near(report.links[0]!.utilisationInFlight, 1, 'link');
  assert.ok(report.latencyInFlight > report.latency);
  assert.ok(waitsOf(report, 'b', 1).link > 0, 'the transfers of the inference before are in its way');
  const silent = { ...two, devices: [two.devices[0]!, { ...two.devices[1]!, power: null }] };
  assert.equal([simulate(silent, 3).joules, simulate(silent, 3).devices[1]!.joules], [null, null]);
});

test('any workload: nothing is busier than always, more in flight is never slower than one, the same again', () => {
  const workloads = arbitraryWorkload.filter(({ devices }) => devices.some(({ steps }) => steps.length > 0));
  fc.assert(
    fc.property(workloads, fc.integer({ min: 2, max: 5 }), (workload, inFlight) => {
      const report = simulate(workload, inFlight);
      for (const { utilisationInFlight: busy } of [...report.devices, ...report.links]) assert.ok(busy <= 1 + 1e-9);
      assert.ok(report.throughput >= (1 - 1e-9) / report.latency);
      assert.ok(report.hidden >= 0 && report.hidden <= 1);
      for (const { waits } of report.steps) for (const seconds of Object.values(waits)) assert.ok(seconds >= 0);
      assert.equal(simulate(workload, inFlight), report);
    }),
    { numRuns: 100, seed: 5 },
  );
});

test('nothing to do: no time, nothing busy', () => {
  const idle = simulate({ devices: [{ device: 'a', power, steps: [] }], channels: [] }, 2);
  assert.equal([idle.latency, idle.throughput, idle.joules, idle.hidden], [0, Number.POSITIVE_INFINITY, 0, 1]);
  assert.is(idle.devices[0]!.utilisationInFlight, 0);
});

test('a file is read as it was written; what does not fit together is refused', async () => {
  assert.equal(parseWorkload(JSON.stringify({ makespan: 1, ...two }), 'timeline.json'), two);
  const [a, b] = two.devices;
  const refused: Readonly<Record<string, [object, RegExp]>> = {
    'a negative time': [{ ...two, devices: [{ ...a, steps: [segment(0, -1)] }, b] }, /devices\.0\.steps\.0\.seconds/],
    'no channels': [{ devices: two.devices }, /channels/],
    'a send too few': [{ ...two, devices: [{ ...a, steps: [] }, b] }, /send steps are not those of its channels/],
    'a receive too many': [{ ...two, channels: [channel(0, 1)] }, /send steps are not those/],
    'two devices of a name': [{ ...two, devices: [a, { ...b, device: 'a' }] }, /two devices a/],
    'a channel twice': [
      {
        devices: [
          { ...a, steps: [message('send', 0), message('send', 0)] },
          { ...b, steps: [message('receive', 0), message('receive', 0)] },
        ],
        channels: [channel(0, 1), channel(0, 1)],
      },
      /two channels have one id/,
    ],
    'steps that wait for each other': [
      {
        devices: [
          { ...a, steps: [message('receive', 1), message('send', 0)] },
          { ...b, steps: [message('receive', 0), message('send', 1)] },
        ],
        channels: [channel(0, 1), { ...channel(1, 1), from: 'b', to: 'a' }],
      },
      /wait for each other/,
    ],
  };
  for (const [what, [content, message]] of Object.entries(refused)) {
    const error = await errorOf('timeline', () => parseWorkload(JSON.stringify(content), 'here'));
    assert.match(error.message, message, what);
    assert.ok(error.context.hint);
  }
  await errorOf('timeline', () => parseWorkload('{', 'here'));
});

test.run();
