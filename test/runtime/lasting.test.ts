/** Nothing of an inference outlasts it: over thousands of them, failed ones too, what a device holds does not grow. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { Deadlines } from '../../runtime/deadlines.ts';
import { deferred } from '../../runtime/deferred.ts';
import { InFlight } from '../../runtime/in-flight.ts';
import { Mailbox } from '../../runtime/mailbox.ts';
import { memoryTransport } from '../../runtime/memory-transport.ts';
import type { Tensor } from '../../runtime/program.ts';
import { Recorder } from '../../runtime/stats.ts';
import { Failures } from '../../runtime/team.ts';
import { countHeld } from '../support/collect.ts';
import { rejection } from '../support/error.ts';
import {
  channel,
  expected,
  type Fixture,
  given,
  ROUND_TRIP,
  removeBuilds,
  withProgram,
  writeBuild,
} from './fixture.ts';
import { closeAll, open, SHORT } from './together.ts';

const test = suite('lasting');
test.after.each(closeAll);
test.after(removeBuilds);

const INFERENCES = 3000;
/** Every tensor that a program of this file has seen. */
let seen: WeakRef<Tensor>[] = [];
Object.assign(globalThis, { see: (tensor: Tensor) => seen.push(new WeakRef(tensor)) });

/** What begins with 0 is refused by the segment: its rank is wrong. */
const SERVER = `
  const h = await device.receive('robot', 0);
  const [z] = await device.segment(0, [h.data[0] === 0 ? { ...h, dims: [4] } : h]);
  globalThis.see(h);
  globalThis.see(z);
  device.send('robot', 1, z);
  return {};`;

test('thousands of inferences, every tenth of which fails', async () => {
  const build = await writeBuild(withProgram(ROUND_TRIP, 'server', SERVER));
  const transport = memoryTransport();
  const failures: unknown[] = [];
  const [robot, server] = await Promise.all(
    ['robot', 'server'].map((device) => open({ build, device, transport, failures, inFlight: 4 })),
  );
  assert.ok(robot && server);
  seen = [];
  let failed = 0;
  const one = async (i: number) => {
    const { y } = await robot.infer(given(i % 10, 2, 3, 4));
    assert.ok(y);
    seen.push(new WeakRef(y));
  };
  for (let i = 0; i < INFERENCES; i += 10) {
    const ten = await Promise.allSettled(Array.from({ length: 10 }, (_, k) => one(i + k)));
    failed += ten.filter(({ status }) => status === 'rejected').length;
  }
  assert.is(failed, INFERENCES / 10);
  assert.is(failures.length, INFERENCES / 10);
  assert.is(seen.length, 3 * (INFERENCES - failed));
  // The last ones may be held by what ended last.
  assert.ok((await countHeld(seen)) < 30, 'tensors of inferences that have ended are held');
  assert.equal([robot.stats().inFlight, server.stats().inFlight], [0, 0]);
  await robot.close();
  await server.stopped;
});

test('a bundle does not keep the outputs that it has given', async () => {
  const bundle = await openBundle(await writeBuild(ROUND_TRIP), { transport: 'memory', timeout: 20 });
  const outputs: WeakRef<object>[] = [];
  for (let i = 0; i < 200; i++) outputs.push(new WeakRef((await bundle.infer(given(i, 2, 3, 4))).outputs));
  assert.ok((await countHeld(outputs)) < 10);
  await bundle.close();
});

test('what is guarded is let go when it has settled, and rejects with the cause when something fails', async () => {
  const failures = new Failures();
  const results: WeakRef<object>[] = [];
  const one = async () => {
    const result = {};
    results.push(new WeakRef(result));
    await failures.guard('a', Promise.resolve(result));
  };
  for (let i = 0; i < 100; i++) await one();
  assert.is(await countHeld(results), 0);
  const waiting = failures.guard('a', new Promise(() => {}));
  const bug = new TypeError('no such thing');
  const causes = [waiting, failures.guard('b', Promise.reject(bug)), failures.guard('c', new Promise(() => {}))];
  for (const cause of await Promise.allSettled(causes)) assert.is('reason' in cause && cause.reason, bug);
  const later = await Promise.allSettled([failures.guard('a', new Promise(() => {}))]);
  assert.is('reason' in later[0] && later[0].reason, bug);
});

/** Of the device `server`, which receives on channel 0. */
function mailbox(): { mailbox: Mailbox; deadlines: Deadlines } {
  const deadlines = new Deadlines(20);
  const channels = new Map([[0, channel(0, 'robot', 'server')]]);
  return { mailbox: new Mailbox('server', channels, deadlines, new Recorder([])), deadlines };
}
const frame = (inference: number) => ({ kind: 'tensor', inference, channel: 0, tensor: given(1, 2, 3, 4).x }) as const;

test('a mailbox holds nothing of inferences that have ended, whatever came of them', async () => {
  const { mailbox: box, deadlines } = mailbox();
  box.deliver('robot', frame(0));
  box.deliver('robot', frame(1));
  assert.is(box.size, 2);
  for (const id of [0, 1]) assert.is(box.begin(), id);
  assert.equal((await box.receive(0, 'robot', 0)).dims, [1, 4]);
  box.end(0);
  // Nobody asked for this one.
  box.end(1);
  assert.is(box.begin(), 2);
  void box.receive(2, 'robot', 0);
  assert.is(deadlines.size, 1);
  box.end(2);
  assert.equal([box.size, deadlines.size], [0, 0]);
  // What comes late, and who asks late.
  box.deliver('robot', frame(2));
  const late = await Promise.allSettled([box.receive(2, 'robot', 0)]);
  assert.is('reason' in late[0] && late[0].reason.message, 'inference 2 has ended');
  assert.equal([box.size, deadlines.size], [0, 0]);
  deadlines.clear();
});

test('a device that has stopped is not waited for', async () => {
  const deadlines = new Deadlines(20);
  const inFlight = new InFlight(1, deadlines);
  await inFlight.enter();
  inFlight.start(0, ['robot', 'server']);
  inFlight.finished(0, 'robot');
  const waiting = [inFlight.enter(), inFlight.idle()];
  assert.is(deadlines.size, 1);
  inFlight.gone('server');
  await Promise.all(waiting);
  assert.is(deadlines.size, 0);
  deadlines.clear();
});

/** Robot and server of the fixture, the server's program held back until the gate is opened; two inferences at once. */
async function gated(fixture: Fixture) {
  const gate = deferred();
  Object.assign(globalThis, { gate: gate.promise });
  const waits = `await globalThis.gate;${fixture.devices.server?.program}`;
  const build = await writeBuild(withProgram(fixture, 'server', waits));
  const transport = memoryTransport();
  const failures: unknown[] = [];
  const [robot, server] = await Promise.all(
    ['robot', 'server'].map((device) => open({ build, device, transport, failures, timeouts: SHORT, inFlight: 2 })),
  );
  assert.ok(robot && server);
  return { robot, server, gate, failures };
}

test('a device that is being closed ends what it has begun, and begins nothing more', async () => {
  const { robot, server, gate, failures } = await gated(ROUND_TRIP);
  const first = robot.infer(given(1, 2, 3, 4));
  while (server.stats().inFlight < 1) await sleep(1);
  const closed = server.close();
  const second = rejection(robot.infer(given(1, 2, 3, 4)), 'peer-lost');
  await sleep(10);
  gate.resolve();
  assert.equal([...((await first).y?.data ?? [])], expected(1, 2, 3, 4));
  assert.is((await second).message, 'robot lost server: it has stopped');
  await closed;
  assert.is(server.stats().segments[0]?.runs, 1);
  assert.equal(failures, []);
});

test('who waits to begin an inference hears that a device has stopped, also one that sends it nothing', async () => {
  const robotOnly = withProgram(ROUND_TRIP, 'robot', `device.send('server', 0, inputs.x); return {};`);
  const { robot, server, gate } = await gated(withProgram(robotOnly, 'server', `await device.receive('robot', 0);`));
  const run = () => robot.infer(given(1, 2, 3, 4));
  await run();
  while (server.stats().inFlight < 1) await sleep(1);
  const closed = server.close();
  await run();
  // The server begins none but the first, so at most one of these finds room.
  const [, last] = [run().catch(() => {}), rejection(run(), 'peer-lost')];
  gate.resolve();
  await last;
  await closed;
});

test.run();
