/** Orders of operators: both respect what depends on what, and devices that are ordered together send when something lets them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import type { Compute, Operator, Program, Receive, Send, Value } from '../../compiler/ir/program.ts';
import { tensorOf, valueKey } from '../../compiler/ir/program.ts';
import { lower, prepare } from '../../compiler/lower.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { costsOf } from '../../compiler/planning/costs/costs.ts';
import type { Step } from '../../compiler/planning/schedule.ts';
import { models } from '../../fixtures/models.ts';
import { mergeSessions } from '../../passes/ordering/merge-sessions.ts';
import { orderAlone } from '../../passes/ordering/order-alone.ts';
import { orderTogether } from '../../passes/ordering/order-together.ts';
import type { DeviceOperators, Group } from '../../passes/ordering/readiness.ts';
import { scheduleSteps } from '../../passes/schedule-steps.ts';
import { randomPlan } from '../support/random-plan.ts';

const test = suite('ordering');

const value = (tensor: string): Value => ({ kind: 'value', tensor, region: null });
const compute = (output: string, ...inputs: string[]): Compute => ({
  kind: 'compute',
  origin: output,
  device: null,
  type: 'Relu',
  domain: '',
  attributes: {},
  inputs: inputs.map(value),
  outputs: [value(output)],
  captures: [],
});
const ends = { origin: 'transfer', device: null };
const send = (channel: number, tensor: string, to: string): Send => ({
  ...ends,
  kind: 'send',
  channel,
  to,
  value: value(tensor),
});
const receive = (channel: number, tensor: string, from: string): Receive => ({
  ...ends,
  kind: 'receive',
  channel,
  from,
  value: value(tensor),
});

/** Operators take as many seconds as is written after their names, a transfer one, a border as given. */
function device(border: number, ...operators: Operator[]): DeviceOperators {
  const seconds = ({ origin }: Operator) => Number(origin.match(/\d+$/)?.[0] ?? 0);
  const costs = { seconds, border: () => border, transfer: () => 1 };
  return { operators, costs, isUnpacking: () => false };
}

const named = (groups: readonly Group[]): string[] =>
  groups.map((group) =>
    'kind' in group ? `${group.kind} ${group.channel}` : group.map(({ origin }) => origin).join(' '),
  );

const together = (devices: Record<string, DeviceOperators>): Record<string, string[]> => {
  const linkOf = (from: string, to: string) => ({ queue: `${from} ${to}`, latency: 0, lead: 0 });
  const orders = orderTogether(new Map(Object.entries(devices)), linkOf);
  return Object.fromEntries([...orders].map(([name, groups]) => [name, named(groups)]));
};

/** b has much to do on its own, and something short for a as soon as a's value comes. */
const interrupted = (border: number) => ({
  a: device(border, compute('x2'), send(0, 'x2', 'b'), receive(1, 'y', 'b'), compute('z5', 'y')),
  b: device(
    border,
    compute('p10'),
    compute('q10', 'p10'),
    receive(0, 'x2', 'a'),
    compute('y1', 'x2'),
    send(1, 'y1', 'a'),
  ),
});

test('what arrives while a device works is done first where others wait for it', () => {
  const { a, b } = together(interrupted(1));
  assert.equal(a, ['x2', 'send 0', 'receive 1', 'z5']);
  assert.equal(b, ['p10', 'receive 0', 'y1', 'send 1', 'q10']);
});

test('but not where another border costs more than is left to do', () => {
  assert.equal(together(interrupted(10)).b, ['p10 q10', 'receive 0', 'y1', 'send 1']);
});

test('alone, a device does all that it can before it waits', () => {
  assert.equal(named(orderAlone(interrupted(1).b)), ['p10 q10', 'receive 0', 'y1', 'send 1']);
});

test('too little work for a session of its own waits for what else comes', () => {
  const sender = device(2, compute('x3'), send(0, 'x3', 'b'), compute('y3'), send(1, 'y3', 'b'));
  const reader = (first: string) =>
    device(
      2,
      receive(0, 'x3', 'a'),
      compute(first, 'x3'),
      receive(1, 'y3', 'a'),
      compute('q4', 'y3'),
      compute('r1', first, 'q4'),
    );
  assert.equal(together({ a: sender, b: reader('p1') }).b, ['receive 0', 'receive 1', 'p1 q4 r1']);
  assert.equal(together({ a: sender, b: reader('p5') }).b, ['receive 0', 'p5', 'receive 1', 'q4 r1']);
});

test('a value that is received last and read by nobody is received', () => {
  const orders = together({ a: device(0, compute('x1'), send(0, 'x1', 'b')), b: device(0, receive(0, 'x1', 'a')) });
  assert.equal(orders.b, ['receive 0']);
});

test('sessions are merged where nobody then waits for each other', () => {
  const [x, y, z, p, q] = [compute('x'), compute('y'), compute('z', 'q'), compute('p', 'x'), compute('q', 'y')];
  const merged = mergeSessions(
    new Map<string, readonly Group[]>([
      ['a', [[x], send(0, 'x', 'b'), [y], send(1, 'y', 'b'), receive(2, 'q', 'b'), [z]]],
      ['b', [receive(0, 'x', 'a'), [p], receive(1, 'y', 'a'), [q], send(2, 'q', 'a')]],
    ]),
  );
  assert.equal(
    named(merged.get('a')!),
    ['x y', 'send 0', 'send 1', 'receive 2', 'z'],
    'b cannot make q before a makes y',
  );
  assert.equal(named(merged.get('b')!), ['receive 0', 'receive 1', 'p q', 'send 2']);
});

test('devices that wait for each other are an error', () => {
  const waiting = (own: number, other: number, peer: string) =>
    device(0, receive(other, `in${other}`, peer), compute(`x${own}`, `in${other}`), send(own, `x${own}`, peer));
  assert.throws(() => together({ a: waiting(0, 1, 'b'), b: waiting(1, 0, 'a') }), 'wait for each other');
});

const cluster = parseCluster({
  devices: { a: { speed: 1 }, b: { speed: 4 }, c: { speed: 1.5 } },
  links: [
    { between: ['a', 'b'], bandwidth: '20 Mbit/s', latency: '1 ms' },
    { between: ['a', 'c'], bandwidth: '1 Gbit/s' },
    { between: ['b', 'c'], bandwidth: '1 Gbit/s', duplex: 'half' },
  ],
  inputs: 'a',
  outputs: 'c',
});

/** Every value is there when a step reads it, and every end of a transfer happens once. */
function checkSteps(program: Program<'linked'>, steps: ReadonlyMap<string, readonly Step[]>): void {
  const transfers: string[] = [];
  for (const [name, own] of steps) {
    const given = name === program.placement!.inputs ? program.inputs : [];
    const known = new Set(given.map((tensor) => valueKey({ ...value(tensor), region: wholeOf(program, tensor) })));
    const check = (one: Value) => assert.ok(known.has(valueKey(one)), `${name} has no ${valueKey(one)} yet`);
    for (const step of own) {
      if (step.kind === 'segment') {
        step.inputs.forEach(check);
        for (const output of step.outputs) known.add(valueKey(output));
        continue;
      }
      transfers.push(`${step.kind} ${step.channel}`);
      if (step.kind === 'send') check(step.value);
      else known.add(valueKey(step.value));
    }
  }
  const expected = program.operators.flatMap((one) => ('channel' in one ? [`${one.kind} ${one.channel}`] : []));
  assert.equal(transfers.sort(), expected.sort());
}

const wholeOf = (program: Program, name: string) => {
  const { shape } = tensorOf(program, name);
  return shape.every((size) => size !== null) ? shape.map((size) => [0, size!] as const) : null;
};

for (const [name, build] of Object.entries(models)) {
  test(`${name}: both orders are sound`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
    try {
      const file = join(folder, 'model.onnx');
      await writeFile(file, build());
      const imported = await importModel(file);
      for (let seed = 1; seed <= 6; seed++) {
        const options = { cluster, plan: randomPlan(imported, ['a', 'b', 'c'], seed) };
        const { program } = lower(prepare(imported, options), options).schedule;
        const orders = scheduleSteps(program, cluster, costsOf(imported, cluster));
        assert.is(orders.length, 2);
        for (const steps of orders) checkSteps(program, steps);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test.run();
