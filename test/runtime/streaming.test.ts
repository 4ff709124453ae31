/** Several inferences in flight: in order, bounded, the earlier one first, and none pays for another. */
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openBundle } from '../../runtime/bundle.ts';
import { deferred } from '../../runtime/deferred.ts';
import { memoryTransport } from '../../runtime/memory-transport.ts';
import { Slots } from '../../runtime/slots.ts';
import { stream } from '../../runtime/stream.ts';
import { Turns } from '../../runtime/turns.ts';
import { rejection } from '../support/error.ts';
import { expected, given, LINE, ROUND_TRIP, removeBuilds, withProgram, writeBuild } from './fixture.ts';
import { closeAll, open, SHORT } from './together.ts';

const test = suite('streaming');
test.after.each(closeAll);
test.after(removeBuilds);

const PATIENT = { timeout: 20, connectTimeout: 20 };
const numbers = Array.from({ length: 40 }, (_, i) => i);

for (const transport of ['memory', 'tcp'] as const) {
  for (const [name, fixture] of Object.entries({ ROUND_TRIP, LINE })) {
    test(`${name} over ${transport}: forty at once come back in order, each with its own result`, async () => {
      const bundle = await openBundle(await writeBuild(fixture), { ...PATIENT, transport });
      const order: number[] = [];
      const one = async (n: number) => {
        const { outputs } = await bundle.infer(given(n, 2, 3, 4));
        order.push(n);
        assert.equal([...(outputs.y?.data ?? [])], expected(n, 2, 3, 4));
      };
      await Promise.all(numbers.map(one));
      assert.equal(order, numbers);
      await bundle.close();
    });
  }

  test(`a bundle that is closed ends what is in flight and begins nothing more (${transport})`, async () => {
    const bundle = await openBundle(await writeBuild(ROUND_TRIP), { ...PATIENT, transport, inFlight: 2 });
    const settled = Promise.allSettled(numbers.map((n) => bundle.infer(given(n, 2, 3, 4))));
    await sleep(1);
    await bundle.close();
    for (const [n, result] of (await settled).entries()) {
      if (result.status === 'rejected') assert.is(result.reason.code, 'stopped');
      else assert.equal([...(result.value.outputs.y?.data ?? [])], expected(n, 2, 3, 4));
    }
  });

  for (const [fixture, device] of [[ROUND_TRIP, 'server'] as const, [LINE, 'screen'] as const]) {
    test(`one that fails on ${device} ends the bundle: no other's result is taken for it (${transport})`, async () => {
      const { program = '' } = fixture.devices[device] ?? {};
      const fails = program.replace(/device.segment\(0, \[(.*?)\]\)/, 'device.segment(0, [globalThis.spoil($1)])');
      assert.is.not(fails, program);
      // What is doubled on its way, and perhaps added to, for the fifth inference.
      const spoil = `globalThis.spoil = (h) => h.data[0] === ${device === 'server' ? 10 : 11} ? { ...h, dims: [4] } : h;`;
      const bundle = await openBundle(await writeBuild(withProgram(fixture, device, `${spoil}${fails}`)), {
        ...PATIENT,
        transport,
        inFlight: 3,
      });
      const settled = await Promise.allSettled(numbers.map((n) => bundle.infer(given(n, 2, 3, 4))));
      for (const [n, result] of settled.entries()) {
        if (result.status === 'rejected') assert.is(result.reason.code, 'segment-failed');
        else assert.equal([...(result.value.outputs.y?.data ?? [])], expected(n, 2, 3, 4));
        // Two more may have been in flight and come to their end.
        if (n === 5 || n > 7) assert.is(result.status, 'rejected', `${n}`);
      }
      await bundle.close();
    });
  }
}

/** Robot and server in this process. */
async function together(program: string, options: { timeouts?: typeof SHORT; inFlight?: number }) {
  const build = await writeBuild(withProgram(ROUND_TRIP, 'server', program));
  const transport = memoryTransport();
  const [robot, server] = await Promise.all(
    ['robot', 'server'].map((device) => open({ build, device, transport, ...options })),
  );
  assert.ok(robot && server);
  return { robot, server };
}
const SERVER = ROUND_TRIP.devices.server?.program;

test('no more are begun than may be in flight; further calls wait', async () => {
  const gate = deferred();
  Object.assign(globalThis, { opened: gate.promise });
  const { robot, server } = await together(`await globalThis.opened; ${SERVER}`, { inFlight: 3 });
  const all = numbers.map((n) => robot.infer(given(n, 2, 3, 4)));
  while (server.stats().inFlight < 3) await sleep(1);
  await sleep(20);
  assert.equal([robot.stats().inFlight, server.stats().inFlight], [3, 3]);
  gate.resolve();
  for (const [n, { y }] of (await Promise.all(all)).entries()) {
    assert.equal([...(y?.data ?? [])], expected(n, 2, 3, 4));
  }
  assert.is(server.stats().framesDropped, 0);
});

/** Works on one inference after the other, a quarter of a second each. */
const SLOW = `
  const before = globalThis.working;
  let done;
  globalThis.working = new Promise((resolve) => { done = resolve; });
  await before;
  await new Promise((go) => setTimeout(go, 250));
  ${SERVER?.replace('return', 'done(); return')}`;

for (const inFlight of [8, 1]) {
  test(`eight in turn take longer together than any may wait: no deadline passes, ${inFlight} in flight`, async () => {
    Object.assign(globalThis, { working: null });
    const { robot } = await together(SLOW, { timeouts: SHORT, inFlight });
    const results = await Promise.all(numbers.slice(0, 8).map((n) => robot.infer(given(n, 2, 3, 4))));
    for (const [n, { y }] of results.entries()) assert.equal([...(y?.data ?? [])], expected(n, 2, 3, 4));
  });
}

test('later inferences do not keep the wait of an earlier one alive', async () => {
  const mute = `
    const h = await device.receive('robot', 0);
    if (h.data[0] === 0) return {};
    await new Promise((go) => setTimeout(go, 150 * h.data[0]));
    device.send('robot', 1, h);
    return {};`;
  const { robot } = await together(mute, { timeouts: SHORT, inFlight: 8 });
  const [first, ...others] = numbers.slice(0, 6).map((n) => robot.infer(given(n, 2, 3, 4)));
  assert.ok(first);
  assert.is((await rejection(first, 'receive-timeout')).message, 'robot waited 1 s for t1 from server');
  assert.is((await Promise.all(others)).length, 5);
});

test('who waits for room waits for progress, not for all before it', async () => {
  const { robot } = await together(`await device.receive('robot', 0); await new Promise(() => {});`, {
    timeouts: SHORT,
    inFlight: 2,
  });
  const settled = await Promise.allSettled(numbers.slice(0, 6).map((n) => robot.infer(given(n, 2, 3, 4))));
  const codes = settled.map((one) => (one.status === 'rejected' ? one.reason.code : 'done'));
  for (const code of codes) assert.ok(['receive-timeout', 'inference-timeout'].includes(code), code);
});

test('of inferences that are ready the earliest computes, also one that is ready only after the choice was due', async () => {
  const turns = new Turns(() => false);
  const ran: string[] = [];
  const work = (name: string) => async () => {
    await new Promise((go) => setImmediate(go));
    ran.push(name);
  };
  const first = async () => {
    await turns.take(0, work('0a'));
    // Asks for more as soon as it can, which is after the later ones have asked.
    await turns.take(0, work('0b'));
    await turns.take(0, work('0c'));
  };
  await Promise.all([first(), turns.take(2, work('2')), turns.take(1, work('1'))]);
  assert.equal(ran, ['0a', '0b', '0c', '1', '2']);
  const failed = turns.take(3, async () => Promise.reject(new TypeError('no such thing')));
  const after = turns.take(4, work('4'));
  assert.match(String(await failed.catch((error: unknown) => error)), /no such thing/);
  await after;
  assert.is(ran.at(-1), '4');
});

test('slots are taken in the order of asking, and none is lost', async () => {
  const slots = new Slots(2);
  const entered: number[] = [];
  const ask = (n: number) => slots.enter().then(() => entered.push(n));
  const first = [0, 1, 2, 3].map(ask);
  await Promise.all(first.slice(0, 2));
  slots.leave();
  // Asked after a slot was handed over, before who got it could know.
  const late = ask(4);
  await first[2];
  assert.equal(entered, [0, 1, 2]);
  assert.is(slots.waiting, 2);
  slots.refuse(new Error('closed'));
  for (const one of [first[3], late]) assert.match(String(await one?.catch((error: unknown) => error)), /closed/);
  slots.leave();
  slots.leave();
  await Promise.all([ask(5), ask(6)]);
  assert.equal(entered, [0, 1, 2, 5, 6]);
});

test('a stream has so many under way, yields in order, and ends with the first failure', async () => {
  let underWay = 0;
  let most = 0;
  let made = 0;
  const call = async () => {
    const n = made++;
    most = Math.max(most, ++underWay);
    await sleep(n % 2 === 0 ? 4 : 1);
    underWay--;
    if (n === 20) throw new Error('twenty');
    return n;
  };
  const got: number[] = [];
  const end = await (async () => {
    for await (const n of stream(40, 3, call)) got.push(n);
  })().catch((error: unknown) => String(error));
  assert.is(end, 'Error: twenty');
  assert.equal(got, numbers.slice(0, 20));
  assert.is(most, 3);
  assert.ok(made <= 23);
});

test.run();
