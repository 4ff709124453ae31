/** Recurrent layers as chains over time: the same result, and layers one above the other that work at the same time. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attribute, Program } from '../../compiler/ir/program.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import unrollForAll, { unrollRecurrence } from '../../passes/unroll-recurrence.ts';
import { int64s, modelBytes, node, ramp, value } from '../onnx/make.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, lowered, planOf } from '../support/imported.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('unroll recurrence');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2 });
const GATES = { GRU: 3, LSTM: 4, RNN: 1 } as const;
const INT32 = 6;

interface Given {
  readonly type: keyof typeof GATES;
  readonly direction?: 'forward' | 'reverse' | 'bidirectional';
  readonly steps?: number;
  readonly opset?: number;
  /** Initial states are inputs of the model. */
  readonly initial?: boolean;
  readonly lengths?: boolean;
  /** Which outputs are used. */
  readonly used?: readonly boolean[];
}

/** One layer of 3 hidden units over a batch of 2. */
function layer({ type, direction = 'forward', steps = 7, opset = 17, initial, lengths, used = [true, true] }: Given) {
  const d = direction === 'bidirectional' ? 2 : 1;
  const weights = [ramp('w', [d, GATES[type] * 3, 4], 40), ramp('r', [d, GATES[type] * 3, 3], 30)];
  const every = [['y', [steps, d, 2, 3]] as const, ['h', [d, 2, 3]] as const, ['c', [d, 2, 3]] as const];
  const names = type === 'LSTM' ? every : every.slice(0, 2);
  const given = type === 'LSTM' ? ['h0', 'c0'] : ['h0'];
  const states = initial ? given : [];
  const attributes: Record<string, Attribute> = {
    hidden_size: { kind: 'int', value: 3 },
    direction: { kind: 'string', value: direction },
  };
  const inputs = ['x', 'w', 'r', '', lengths ? 'n' : '', ...states];
  const outputs = names.map(([name], i) => (used[i] ? name : ''));
  return modelBytes({
    nodes: [node(type, inputs, outputs, attributes, { name: 'layer' })],
    inputs: [
      value('x', [steps, 2, 4]),
      ...(lengths ? [value('n', [2], INT32)] : []),
      ...states.map((name) => value(name, [d, 2, 3])),
    ],
    outputs: names.flatMap(([name, shape], i) => (used[i] ? [value(name, shape)] : [])),
    initializers: weights,
    opsets: { '': opset },
  });
}

const unrolled = (program: Program<'imported'>, parts: number) =>
  unrollRecurrence(parts).run(program, { cluster, plan: null });
const typesOf = ({ operators }: Program) =>
  operators.map((operator) => (operator.kind === 'compute' ? operator.type : ''));

const all = [true, true, true];
const CASES: Readonly<Record<string, Given>> = {
  'an LSTM, all its outputs': { type: 'LSTM', used: all },
  'an LSTM with initial states, backwards': { type: 'LSTM', direction: 'reverse', initial: true, used: all },
  'a GRU with an initial state': { type: 'GRU', initial: true },
  'a GRU whose last state alone is used': { type: 'GRU', used: [false, true] },
  'an RNN backwards, only its outputs': { type: 'RNN', direction: 'reverse', used: [true] },
  'an LSTM whose last cell state alone is used, of an old opset': {
    type: 'LSTM',
    opset: 9,
    used: [false, false, true],
  },
  'more parts than steps': { type: 'RNN', steps: 2 },
};
for (const [i, [name, given]] of Object.entries(CASES).entries()) {
  test(name, async () => {
    const model = work.write(`${i}.onnx`, layer(given));
    const parts = Math.min(3, given.steps ?? 7);
    const program = unrolled(await importModel(model), 3);
    assert.is(typesOf(program).filter((type) => type === given.type).length, parts);
    for (const policy of ['spatial', 'whole:b'])
      await assertRuns({ model, cluster, policy, passes: [unrollRecurrence(3)], output: work.path(`${i}`) });
  });
}

test('asked for by file it makes parts enough for the devices', async () => {
  const program = await importModel(work.write('devices.onnx', layer({ type: 'GRU', steps: 20 })));
  const parts = typesOf(unrollForAll.run(program, { cluster, plan: null })).filter((type) => type === 'GRU');
  assert.is(parts.length, 8);
});

const UNTOUCHED: Readonly<Record<string, Given>> = {
  'both directions': { type: 'LSTM', direction: 'bidirectional' },
  'sequences of several lengths': { type: 'GRU', lengths: true },
  'a single step': { type: 'RNN', steps: 1 },
};
for (const [name, given] of Object.entries(UNTOUCHED)) {
  test(`left as it is: ${name}`, async () => {
    const program = await importModel(work.write('untouched.onnx', layer(given)));
    assert.equal(typesOf(unrolled(program, 3)), [given.type]);
  });
}

test('two layers on two devices work at the same time', async () => {
  const HIDDEN = 256;
  const attributes: Record<string, Attribute> = { hidden_size: { kind: 'int', value: HIDDEN } };
  const weights = (i: number) => ['w', 'r'].map((name) => ramp(`${name}${i}`, [1, 4 * HIDDEN, HIDDEN], 1e6));
  const model = work.write(
    'layers.onnx',
    modelBytes({
      nodes: [
        node('LSTM', ['x', 'w0', 'r0'], ['y0'], attributes, { name: 'lower' }),
        node('Squeeze', ['y0', 'one'], ['h'], {}, { name: 'squeeze' }),
        node('LSTM', ['h', 'w1', 'r1'], ['y'], attributes, { name: 'upper' }),
      ],
      inputs: [value('x', [512, 1, HIDDEN])],
      outputs: [value('y', [512, 1, 1, HIDDEN])],
      initializers: [...weights(0), ...weights(1), int64s('one', [1])],
    }),
  );
  const equal = clusterOf({ a: 1, b: 1 }, 'b');
  const program = unrolled(await importModel(model), 8);
  const makespan = (plan: Plan) => lowered(program, { cluster: equal, plan }).schedule.makespan;
  // What lies between the layers is cut at the same steps, so that no part waits for all of them.
  const between = (rank: number) =>
    Array.from({ length: 8 }, (_, i) => ({
      device: 'a',
      region: `[${64 * i}:${64 * i + 64}${',:'.repeat(rank - 1)}]`,
    }));
  const alone = makespan(planOf(program, {}, 'a'));
  const lower = program.operators.filter(({ origin }) => origin.startsWith('lower@'));
  const pipeline = planOf(
    program,
    {
      ...Object.fromEntries(lower.map(({ origin }) => [origin, 'a'])),
      lower: between(4),
      squeeze: between(3),
    },
    'b',
  );
  assert.ok(makespan(pipeline) < 0.7 * alone, `${makespan(pipeline)} of ${alone}`);
  await assertRuns({
    model,
    cluster: equal,
    plan: pipeline,
    passes: [unrollRecurrence(8)],
    output: work.path('pipeline'),
  });
});

test.run();
