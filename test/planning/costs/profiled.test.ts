/** Costs from a profile, by hand: chains, layouts, borders, what is not known. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compute, Program } from '../../../compiler/ir/program.ts';
import { tensorOf, wholeValue, writes } from '../../../compiler/ir/program.ts';
import { Session } from '../../../compiler/planning/costs/chains.ts';
import { Measured } from '../../../compiler/planning/costs/measured.ts';
import { ProfiledDevice } from '../../../compiler/planning/costs/profiled.ts';
import { SessionCosts } from '../../../compiler/planning/costs/session-costs.ts';
import { familyOf } from '../../../compiler/planning/costs/signature.ts';
import { cutsOf } from '../../../compiler/planning/cuts.ts';
import { wholeSpans } from '../../../compiler/planning/resolve.ts';
import type { Segment } from '../../../compiler/planning/schedule.ts';
import { tileOf } from '../../../compiler/planning/tile.ts';
import type { MeasuredChain, Profile } from '../../../compiler/profile/profile.ts';
import { binary, conv, linear, maxPool, relu, softmax } from '../../../fixtures/zoo/layers.ts';
import { importBuilt } from '../../support/built.ts';
import { errorOf } from '../../support/error.ts';
import { chainsOfModel, point, profileOf } from '../../support/made-profile.ts';

const test = suite('profiled');
const equal = (a: readonly number[], b: readonly number[]) => {
  assert.is(a.length, b.length);
  for (const [i, one] of a.entries()) close(one, b[i]!);
};
const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-9 * Math.max(1e-9, b), `${a} is not ${b}`);

/** conv1 → relu1 → pool → conv2 → sum with pool: kernels in onnxruntime's blocked layout, and a Softmax that has none. */
const program = await importBuilt('net', (g) => {
  const x = relu(g, conv(g, g.input('x', [1, 16, 8, 8]), 'conv1', 16, 3, { pad: 1 }), 'relu1');
  const pool = maxPool(g, x, 2, { name: 'pool' });
  const y = binary(g, 'Add', conv(g, pool, 'conv2', 16, 3, { pad: 1 }), pool, 'add');
  g.output(softmax(g, y, 3, 'softmax'), 'y');
});
const named = (name: string): Compute => cutsOf(program).operators.get(name)!;
const chains = new Map(chainsOfModel(program).map((chain) => [chain.members[0]!.origin, chain]));
const keyOf = (leader: string) => chains.get(leader)!.key;
const sizesOf = (leader: string) => chains.get(leader)!.family.sizes;

const measured = (
  leader: string,
  plain: Partial<Parameters<typeof point>[2]> & { seconds: number[] },
  blocked?: { seconds: number[]; leave?: number },
) => {
  const { seconds, ...more } = plain;
  const chain: MeasuredChain = {
    plain: [point(sizesOf(leader), seconds, more)],
    blocked: blocked ? [point(sizesOf(leader), blocked.seconds, blocked)] : [],
  };
  return [keyOf(leader), chain] as const;
};
const byChain = Object.fromEntries([
  measured('conv1', { seconds: [10, 0], enter: 1, leave: 2 }),
  measured('pool', { seconds: [5], enter: 0, leave: 0 }, { seconds: [3], leave: 0.5 }),
  measured('conv2', { seconds: [20, 4], enter: 0.25, leave: 0 }, { seconds: [21, 0], leave: 0.75 }),
  measured('softmax', { seconds: [7] }),
]);
const profile: Profile = profileOf(byChain);
const deviceOf = (of: Profile = profile) =>
  new ProfiledDevice('a', program, { kind: 'profile', file: 'p.json', profile: of });

const outputsOf = (names: readonly string[]) => names.flatMap((name) => [...writes(named(name))]);
const segmentOf = (operators: readonly string[], inputs: readonly string[], kept: readonly string[]): Segment => ({
  kind: 'segment',
  index: 0,
  operators: operators.map(named),
  inputs: inputs.map((name) => wholeValue(tensorOf(program, name))),
  outputs: outputsOf(kept),
});
const all = ['conv1', 'relu1', 'pool', 'conv2', 'add', 'softmax'];
const costsOf = (operators: readonly string[], kept: readonly string[]) => {
  const keys = outputsOf(kept).map(
    ({ tensor, region }) => `${tensor}[${region!.map((span) => span.join(':')).join(',')}]`,
  );
  return new SessionCosts(new Measured(profile), program, program, new Session(operators.map(named), new Set(keys)));
};

test('in one session the blocked layout is entered once, kept, and left where an operator has no kernel for it', () => {
  const costs = costsOf(all, ['softmax']);
  // conv1 brings x in; pool and conv2 find the layout; add leaves it for softmax.
  close(costs.of(named('conv1'))!, 10 + 1);
  close(costs.of(named('relu1'))!, 0);
  close(costs.of(named('pool'))!, 3);
  close(costs.of(named('conv2'))!, 21);
  close(costs.of(named('add'))!, 0.75);
  close(costs.of(named('softmax'))!, 7);
  close(costs.total, 42.75);
});

test('a value that leaves the session is brought out of its layout', () => {
  const costs = costsOf(all, ['relu1', 'softmax']);
  close(costs.of(named('relu1'))!, 2);
});

test('after a border inputs are plain: other kernels, and sums that are not fused', () => {
  const costs = costsOf(['pool', 'conv2', 'add', 'softmax'], ['softmax']);
  close(costs.of(named('pool'))!, 5);
  // conv2 wants the layout, and the sum reads pool as it is.
  close(costs.of(named('conv2'))!, 20 + 0.25);
  close(costs.of(named('add'))!, 4);
});

test('a session costs its operators, itself, what it hands over, and what it touches first', () => {
  const device = deviceOf();
  const segment = segmentOf(['softmax'], [named('add').outputs[0]!.tensor], ['softmax']);
  const bytes = 4 * 16 * 4 * 4;
  equal(device.steps(program, [segment]), [7 + 1e-4 + bytes / 1e9 + (2 * bytes) / 1e9]);
  close(device.border(1000), 1e-4 + 5e-5 + 5e-5 + 1000 * (1 / 1e9 + 1 / 1e9 + 2 / 1e10));
  assert.equal([device.message('send'), device.message('receive'), device.joules()], [2e-5, 3e-5, undefined]);
});

test('of messages one after the other the first costs most; a session after sends waits for ZeroMQ to have its turn', () => {
  const device = deviceOf();
  const [add] = writes(named('add'));
  const segment = segmentOf(['softmax'], [add!.tensor], ['softmax']);
  const send = { kind: 'send', channel: 0, value: add!, to: 'b' } as const;
  const receive = { kind: 'receive', channel: 1, value: add!, from: 'b' } as const;
  const [whole] = device.steps(program, [segment]);
  equal(device.steps(program, [segment, send, receive, send, receive, segment, receive, segment]), [
    ...[whole!, 2e-5, 3e-5, 1e-5, 2e-6],
    ...[whole! + 5e-5, 3e-5, whole!],
  ]);
});

test('sessions and messages find caches as the session before them left them, the first one as the last of the inference before', () => {
  const profile = profileOf(byChain, {
    session: {
      after: [
        { touched: 0, seconds: 1 },
        { touched: 1e6, seconds: 1e6 + 1 },
      ],
      alone: 0,
      outputs: 1e15,
    },
    messages: {
      after: [
        { touched: 0, send: 2, receive: 3 },
        { touched: 1e6, send: 1e6 + 2, receive: 1e6 + 3 },
      ],
      further: { send: 0, receive: 0 },
      pause: 0,
    },
    memory: { copy: 1e15, cold: [{ touched: 1, seconds: 0 }] },
  });
  const device = deviceOf(profile);
  const [pool, add] = ['pool', 'add'].map((name) => writes(named(name))[0]!);
  const convolution = segmentOf(['conv2', 'add'], [pool!.tensor], ['add']);
  const softmax = segmentOf(['softmax'], [add!.tensor], ['softmax']);
  const value = 4 * 16 * 4 * 4;
  // What pool made is read, what the convolution and the sum make is there at once, and the weights.
  const byConvolution = 3 * value + 4 * (16 * 16 * 9 + 16);
  const steps = [
    { kind: 'receive', channel: 0, value: pool!, from: 'b' },
    convolution,
    { kind: 'send', channel: 1, value: add!, to: 'b' },
    softmax,
  ] as const;
  equal(device.steps(program, steps), [
    3 + 2 * value,
    20 + 0.25 + 4 + 1 + 2 * value,
    2 + byConvolution,
    7 + 1 + byConvolution,
  ]);
});

test('a session that is all a device does finds itself warm', () => {
  const levels = [
    { touched: 1e4, seconds: 1e-9 },
    { touched: 1e6, seconds: 3e-9 },
  ];
  const some = { ...profile, memory: { copy: 1e10, cold: levels } };
  const device = deviceOf(some);
  const segment = segmentOf(all, ['x'], ['softmax']);
  const weights = 2 * 4 * (16 * 16 * 9 + 16);
  // At the first Relu: what it reads and what it makes.
  const touched = 4 * 16 * 8 * 8 * 3;
  const cold = 1e-9 + (2e-9 * Math.log((weights + touched) / 1e4)) / Math.log(100);
  equal(device.steps(program, [segment]), [42.75 + 1e-5 + (4 * 16 * 4 * 4) / 1e9 + touched * cold]);
});

test('operators and tiles of them, as planners ask', () => {
  const device = new ProfiledDevice('a', program, { kind: 'profile', file: 'p.json', profile });
  close(device.seconds(program, named('conv1')), 11);
  assert.is(device.source(program, named('conv1')), 'measured');
  const { cut } = familyOf(program, named('softmax'));
  const half = tileOf(program, named('softmax'), cut, { device: 'a', spans: { ...wholeSpans(cut!), c: [0, 8] } });
  close(device.seconds(program, half), 3.5);
  assert.is(device.source(program, half), 'interpolated');
});

test('a tile of a follower has its share of what the chain gives it', () => {
  const device = new ProfiledDevice('a', program, {
    kind: 'profile',
    file: 'p.json',
    profile: profileOf({
      [keyOf('conv2')]: { plain: [point(sizesOf('conv2'), [20, 4])], blocked: [] },
    }),
  });
  const { cut } = familyOf(program, named('add'));
  const tile = tileOf(program, named('add'), cut, { device: 'a', spans: { ...wholeSpans(cut!), h: [0, 2] } });
  close(device.seconds(program, tile), 2);
});

test('a chain that nobody measured begins as one that somebody did; the rest is estimated', () => {
  const partly = profileOf({ [keyOf('conv1')]: { plain: [point(sizesOf('conv1'), [10, 3])], blocked: [] } });
  const device = new ProfiledDevice('a', program, { kind: 'profile', file: 'p.json', profile: partly });
  // conv2 has conv1's family, at half of its rows and columns.
  assert.is(device.source(program, named('conv2')), 'estimated');
  close(device.seconds(program, named('conv2')), 10 / 4);
  assert.ok(device.seconds(program, named('add')) > 0);
  assert.is(device.source(program, named('softmax')), 'estimated');
});

test('estimates lie on a roofline through the profile: twice the work, about twice the time', () => {
  const { fit } = new Measured(
    profileOf({
      'Gemm x': { plain: [1, 2, 4, 8].map((n) => point({ n }, [n], { work: n * 1e9, bytes: 8 })), blocked: [] },
    }),
  );
  const ratio = fit.seconds('Gemm', 32e9, 8) / fit.seconds('Gemm', 16e9, 8);
  assert.ok(ratio > 1.8 && ratio < 2.2, String(ratio));
  const other = fit.seconds('Never', 0, 1e10);
  assert.ok(other >= 0.5 && other < 4, String(other));
});

test('a profile that knows none of the operators is refused, with what it knows', async () => {
  const stranger = profileOf({ 'Gru x': { plain: [point({ n: 1 }, [1])], blocked: [] } });
  const make = (of: Program<'imported'>) =>
    new ProfiledDevice('robot', of, { kind: 'profile', file: 'p.json', profile: stranger });
  const error = await errorOf('profile', () => make(program));
  assert.match(error.message, /^knows no operator of net.*: it is of made-up$/);
  assert.equal(error.context.at, ['p.json']);
  assert.match(error.context.hint!, /on robot: shardonnx profile MODEL -o p\.json/);
  const other = await importBuilt('other', (g) => g.output(linear(g, g.input('x', [2, 4]), 'fc', 3), 'y'));
  await errorOf('profile', () => make(other));
});

test.run();
