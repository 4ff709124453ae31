/** A link that drops while an inference needs it: the inference is repeated without, gives one answer, and what comes late is dropped. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../compiler/compile.ts';
import type { OpenDevice } from '../runtime/behaviour.ts';
import { memoryTransport, openDevice, readDeviceManifest } from '../runtime/index.ts';
import { Patience } from '../runtime/patience.ts';
import type { TransportFactory } from '../runtime/transport.ts';
import { zeromqTransport } from '../runtime/zeromq-transport.ts';
import { killAll, Running } from './runtime/process.ts';
import { workFolder } from './support/cli.ts';
import { clusterOf, imported, modelFile, planOf } from './support/imported.ts';
import { TestLink } from './support/link.ts';
import { programsOf } from './support/programs.ts';
import { assertEqualOutputs, inputsFor, reference } from './support/reference.ts';

const test = suite('slow link');
const work = workFolder();
const build = work.path('build');
/** Its first plan sends three large tensors. */
const wide = work.path('wide');
const opened: OpenDevice[] = [];
const links: TestLink[] = [];

/** One plan that needs device b, and one that does not. */
test.before(async () => {
  const shared = [
    { device: 'a', region: '[:,0:80]' },
    { device: 'b', region: '[:,80:128]' },
  ];
  const plans = [planOf(await imported('mlp'), { fc1: shared, relu1: shared }, 'a')];
  await compile({
    model: modelFile('mlp'),
    cluster: clusterOf({ a: 1, b: 1 }),
    several: { plans, fallback: true },
    output: build,
  });
  const bands = (device: string) =>
    ['[:,:,0:10,:]', '[:,:,10:20,:]', '[:,:,20:37,:]'].map((region) => ({ device, region }));
  await compile({
    model: modelFile('convChain'),
    cluster: clusterOf({ a: 1, b: 1 }),
    several: {
      plans: [planOf(await imported('convChain'), { conv1: bands('a'), relu1: bands('b') }, 'b')],
      fallback: true,
    },
    output: wide,
  });
});
test.after.each(async () => {
  for (const link of links.splice(0)) link.close();
  await Promise.all(opened.splice(0).map((device) => device.close()));
  await killAll();
});

/** A transport in memory that can hold back what this device sends of tensors. */
class Held {
  readonly #kept: (() => void)[] = [];
  #holds = false;
  readonly transport: TransportFactory;

  constructor(from: string, factory: TransportFactory) {
    this.transport = (setup) => {
      const inner = factory(setup);
      return {
        inProcess: inner.inProcess,
        open: (listener) => inner.open(listener),
        close: () => inner.close(),
        letGo: () => inner.letGo(),
        send: (to, frame) => {
          const send = () => inner.send(to, frame);
          if (this.#holds && setup.manifest.device === from && frame.kind === 'tensor') this.#kept.push(send);
          else send();
        },
      };
    };
  }

  hold(): void {
    this.#holds = true;
  }

  /** How many tensors come late now. */
  release(): number {
    this.#holds = false;
    for (const send of this.#kept) send();
    return this.#kept.splice(0).length;
  }
}

/** Both devices in this process; tensors from one of them can be held back. */
async function together(from: string) {
  const held = new Held(from, memoryTransport());
  const failures: unknown[] = [];
  const devices = ['a', 'b'].map(async (device) =>
    openDevice({
      directory: join(build, device),
      program: await programsOf(build, device),
      transport: held.transport,
      timeouts: { connect: 20, inference: 20 },
      threads: 1,
      inFlight: 4,
      onFailure: (_, error) => failures.push(error),
    }),
  );
  const [a, b] = await Promise.all(devices);
  opened.push(a!, b!);
  return { a: a!, b: b!, held, failures };
}

const inputsOf = async (seed: number) => inputsFor((await readDeviceManifest(join(build, 'a'))).inputs, seed);

/** Of an inference on these inputs: the plan that gave the answer, which is right. */
async function planOfAnswer(a: OpenDevice, seed: number): Promise<string | undefined> {
  const inputs = await inputsOf(seed);
  const before = a.stats().plans;
  assertEqualOutputs(await a.infer(inputs), await reference(modelFile('mlp'), inputs));
  const given = Object.entries(a.stats().plans).filter(([name, count]) => count !== (before[name] ?? 0));
  assert.is(given.length, 1, 'one answer, of one plan');
  return given[0]?.[0];
}

const names = async () => (await readDeviceManifest(join(build, 'a'))).plans?.map(({ name }) => name) ?? [];

for (const from of ['a', 'b']) {
  test(`what ${from} sends does not come: repeated on the plan without, then taken up again`, async () => {
    const { a, b, held, failures } = await together(from);
    const [shared, alone] = await names();
    for (let seed = 0; seed < 3; seed++) assert.is(await planOfAnswer(a, seed), shared);
    held.hold();
    assert.is(await planOfAnswer(a, 3), alone);
    assert.is(a.stats().repeated, 1);
    const late = held.release();
    assert.ok(late > 0);
    const dropped = () => a.stats().framesDropped + b.stats().framesDropped;
    for (const end = Date.now() + 10_000; Date.now() < end && dropped() < late; ) await sleep(5);
    assert.is(dropped(), late, 'each tensor that comes late is dropped and counted');
    for (let seed = 4; seed < 7; seed++) assert.is(await planOfAnswer(a, seed), shared);
    assert.equal(failures, [], 'nobody is told of a failure');
    assert.equal([a.stats().inFlight, b.stats().inFlight], [0, 0]);
  });
}

test('several in flight: each has its own answer, in order', async () => {
  const { a, held, failures } = await together('b');
  for (let seed = 0; seed < 2; seed++) await planOfAnswer(a, seed);
  held.hold();
  const seeds = Array.from({ length: 9 }, (_, seed) => seed);
  const order: number[] = [];
  const given = await Promise.all(seeds.map(inputsOf));
  const running = given.map(async (inputs, seed) => {
    const outputs = await a.infer(inputs);
    order.push(seed);
    assertEqualOutputs(outputs, await reference(modelFile('mlp'), inputs));
  });
  await Promise.all(running);
  assert.equal(order, seeds);
  assert.ok(held.release() > 0);
  assert.equal(failures, []);
  assert.is(
    Object.values(a.stats().plans).reduce((sum, count) => sum + count, 0),
    2 + seeds.length,
  );
});

test('what is not known to be late is waited for: a plan that was never seen at work, and one that was asked for', async () => {
  const { a, held } = await together('b');
  const [shared, alone] = await names();
  const late = async (seed: number) => {
    held.hold();
    const answer = planOfAnswer(a, seed);
    await sleep(300);
    held.release();
    return answer;
  };
  assert.is(await late(0), shared);
  a.use(0);
  for (let seed = 1; seed < 4; seed++) assert.is(await late(seed), shared);
  a.use(1);
  assert.is(await planOfAnswer(a, 4), alone);
});

test('what comes so slowly that the plan without peers is sooner done is not waited for, also where no plan was seen at work', async () => {
  const server = new Running(wide, 'b', ['--listen=tcp://127.0.0.1:*', '--connect-timeout=20', '--timeout=20']);
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  const link = await TestLink.to(endpoint);
  links.push(link);
  const a = await openDevice({
    directory: join(wide, 'a'),
    program: await programsOf(wide, 'a'),
    transport: zeromqTransport({ peers: async () => ({ b: link.endpoint }) }),
    timeouts: { connect: 20, inference: 20 },
    threads: 1,
  });
  opened.push(a);
  // The first tensor takes 0.3 s, the others 0.9 s more.
  link.rate = 50_000;
  const inputs = inputsFor(a.manifest.inputs, 0);
  const expected = await reference(modelFile('convChain'), inputs);
  const [shared, alone] = a.manifest.plans?.map(({ name }) => name) ?? [];
  assertEqualOutputs(await a.infer(inputs), expected);
  assert.is(a.stats().plan, alone);
  assert.is(a.stats().repeated, 1);
  // What was sent is still on its way: nothing is added to it.
  link.freeze();
  const { bytesSent } = a.stats();
  for (let i = 0; i < 10; i++) assertEqualOutputs(await a.infer(inputs), expected);
  assert.is(a.stats().bytesSent, bytesSent);
  assert.equal(a.stats().plans, { [alone!]: 11 });
  link.rate = Number.POSITIVE_INFINITY;
  link.thaw();
  for (const end = Date.now() + 15_000; Date.now() < end && a.stats().plan !== shared; await sleep(20)) {
    assertEqualOutputs(await a.infer(inputs), expected);
  }
  assert.is(a.stats().plan, shared);
});

test('what comes in time is waited for, and what has become too late is not', async () => {
  const plans = [
    { name: 'shared', devices: ['a', 'b'], bandwidth: [1, 2] as const, seconds: 0.001 },
    { name: 'alone', devices: ['a'], bandwidth: null, seconds: 0.2 },
  ];
  let untilThere: number | null = null;
  const given: number[] = [];
  const patience = new Patience(
    plans,
    1,
    () => true,
    () => untilThere,
    (id) => given.push(id),
  );
  patience.watch({ id: 0, plan: 0 });
  patience.finished({ id: 0, plan: 0 });
  patience.watch({ id: 1, plan: 0 });
  untilThere = 150;
  patience.heard();
  // It would be given up after 0.2 s.
  await sleep(500);
  assert.equal(given, []);
  untilThere = 250;
  patience.heard();
  assert.equal(given, [1]);
  patience.watch({ id: 2, plan: 1 });
  patience.heard();
  assert.equal(given, [1], 'it waits for nobody');
  patience.watch({ id: 3, plan: 0 });
  untilThere = -1000;
  for (const end = Date.now() + 10_000; Date.now() < end && given.length < 2; ) await sleep(5);
  assert.equal(given, [1, 3], 'what should have come long ago');
  patience.close();
});

test('how long is waited: half as long again as predicted, or as seen, and as long as the other plan takes', () => {
  const plans = [
    { name: 'shared', devices: ['a', 'b'], bandwidth: [1, 2] as const, seconds: 0.5 },
    { name: 'quick', devices: ['a', 'b'], bandwidth: [2, 3] as const, seconds: 0.001 },
    { name: 'alone', devices: ['a'], bandwidth: null, seconds: 0.01 },
  ];
  const seen = (fallback: number | null, given = plans) => {
    const patience = new Patience(
      given,
      fallback,
      () => false,
      () => null,
      () => {},
    );
    for (const [id, plan] of [0, 1, 2].entries()) {
      patience.watch({ id, plan });
      patience.finished({ id, plan });
    }
    patience.watch(undefined);
    return [0, 1, 2].map((plan) => patience.of(plan));
  };
  assert.equal(seen(2), [750, 50, null]);
  assert.equal(seen(null), [null, null, null], 'nothing to repeat it on');
  const slow = plans.map((plan) => (plan.name === 'alone' ? { ...plan, seconds: 1 } : plan));
  assert.equal(seen(2, slow), [1000, 1000, null]);
  const patience = new Patience(
    plans,
    2,
    () => false,
    () => null,
    () => {},
  );
  assert.is(patience.of(0), null, 'never seen');
});

test.run();
