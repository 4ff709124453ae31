/** What crosses in fewer bits: as if every sent value were rounded by hand, and the bytes that the encoding takes. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgram } from '../../compiler/ir/parse.ts';
import type { Program, Tensor, Value } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { count } from '../../compiler/ir/region.ts';
import { formatProgram } from '../../compiler/ir/text.ts';
import { channelAxis, crossings } from '../../compiler/planning/encodings.ts';
import type { Encoding, Plan, Range } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { randomInputs } from '../../fixtures/inputs.ts';
import type { NumericDType } from '../../runtime/dtype.ts';
import type { Tensor as Data } from '../../runtime/program.ts';
import { throughWire } from '../support/codecs.ts';
import { errorOf } from '../support/error.ts';
import { execute } from '../support/execute.ts';
import { bytesMoved, clusterOf, imported, lowered, type ModelName, planOf } from '../support/imported.ts';
import { randomPlan } from '../support/random-plan.ts';

const test = suite('encode transfers');
const cluster = clusterOf({ a: 1, b: 2, c: 1.5 });

const inputsOf = (program: Program) =>
  randomInputs(
    program.inputs.map((name) => {
      const { dtype, shape } = tensorOf(program, name);
      return { name, dtype: dtype as NumericDType, shape: shape as number[] };
    }),
  );

const encoded = (plan: Plan, encodings: Readonly<Record<string, Encoding>>): Plan => ({
  ...plan,
  maxRelativeError: 0.1,
  encodings,
});

/** The encoding of a tensor. */
type Encode = (tensor: Tensor) => Encoding;
const float16: Encode = () => 'float16';
const int8: Encode = () => ({ int8: [-1.5, 2] });
/** Each channel has a range of its own: if a part of a tensor took another channel's, its numbers would be others. */
const int8PerChannel: Encode = ({ shape }) => {
  const axis = channelAxis(shape.length);
  const ranges = Array.from({ length: shape[axis]! }, (_, i): Range => [-1.5 / (1 + (i % 3)), 0.5 + (i % 5) / 3]);
  return { int8PerChannel: { axis, ranges } };
};

/** Every other tensor that crosses; addends only as float16. */
function everyOther(program: Program<'imported'>, plan: Plan, encode: Encode): Record<string, Encoding> {
  const all = crossings(lowered(program, { cluster, plan }).schedule);
  const able = all.filter(({ addends }) => !addends || encode === float16);
  const some = able.filter((_, i) => i % 2 === 0);
  return Object.fromEntries(some.map(({ tensor }) => [tensor, encode(tensorOf(program, tensor))]));
}

async function assertRoundedByHand(program: Program<'imported'>, plan: Plan, encode: Encode): Promise<void> {
  const encodings = everyOther(program, plan, encode);
  assert.ok(Object.keys(encodings).length > 0, 'something crosses');
  const exact = lowered(program, { cluster, plan }).schedule;
  const { schedule } = lowered(program, { cluster, plan: encoded(plan, encodings) });
  const byHand = (value: Value, data: Data) =>
    encodings[value.tensor] ? throughWire(encodings[value.tensor]!, data, value.region) : data;
  const inputs = inputsOf(program);
  const expected = await execute(exact.program, inputs, byHand);
  assert.equal(await execute(schedule.program, inputs), expected);
  const width = encode === float16 ? 2 : 1;
  const bytes = exact.channels.map(({ value, bytes }) =>
    encodings[value.tensor] ? count(value.region!) * width : bytes,
  );
  assert.is(
    bytesMoved(schedule),
    bytes.reduce((sum, one) => sum + one, 0),
  );
  assert.ok(bytesMoved(schedule) < bytesMoved(exact));
}

const names: readonly ModelName[] = ['convChain', 'residualBlock', 'squeezeExcite', 'mlp', 'transformerBlock', 'unet'];
for (const name of names) {
  for (const encode of [float16, int8, int8PerChannel]) {
    test(`${name}, rows shared, ${encode.name}`, async () => {
      const program = await imported(name);
      await assertRoundedByHand(program, await makePlan(program, cluster, 'spatial'), encode);
    });
    test(`${name}, a random plan, ${encode.name}`, async () => {
      const program = await imported(name);
      await assertRoundedByHand(program, randomPlan(program, ['a', 'b', 'c'], 7), encode);
    });
  }
}

test('what several devices read is encoded once', async () => {
  const program = await imported('mlp');
  const rows = ['a', 'b', 'c'].map((device, i) => ({ device, region: `[:,${32 * i}:${32 * i + 32}]` }));
  const plan = planOf(program, { fc2: rows }, 'a');
  const { schedule } = lowered(program, { cluster, plan: encoded(plan, { relu1: 'float16' }) });
  const casts = schedule.program.operators.filter(
    (operator) => operator.kind === 'compute' && operator.outputs[0]?.tensor === 'relu1/float16',
  );
  const sends = schedule.channels.filter(({ value }) => value.tensor === 'relu1/float16');
  assert.equal([casts.length, sends.length], [1, 2]);
});

test('channels shared: each part takes the ranges of its own channels', async () => {
  const program = await imported('mlp');
  const shared = ['a', 'b'].map((device, i) => ({ device, region: `[:,${64 * i}:${64 * i + 64}]` }));
  const plan = planOf(program, { fc1: shared, relu1: shared, fc2: 'c' }, 'a');
  await assertRoundedByHand(program, plan, int8PerChannel);
  const encodings = everyOther(program, plan, int8PerChannel);
  const { schedule } = lowered(program, { cluster, plan: encoded(plan, encodings) });
  const text = formatProgram(schedule.program);
  assert.match(text, /QuantizeLinear\(.*\/scale\[\d+:\d+\], .*\/zero\[\d+:\d+\]\) \{axis=1\}/);
  assert.equal(formatProgram(parseProgram(text)), text);
});

test('what is encoded and its scales have names of their own', async () => {
  const program = await imported('mlp');
  const plan = planOf(program, { fc2: 'b' }, 'a');
  const tensors = new Map(program.tensors);
  const taken = ['relu1/int8PerChannel', 'relu1/int8PerChannel_/zero'];
  for (const name of taken) tensors.set(name, { name, role: 'inner', dtype: 'float32', shape: [1] });
  const encodings = { relu1: int8PerChannel(tensorOf(program, 'relu1')) };
  const { schedule } = lowered({ ...program, tensors }, { cluster, plan: encoded(plan, encodings) });
  const added = [...schedule.program.tensors.keys()].filter((name) => !tensors.has(name));
  assert.equal(
    added.sort(),
    ['', '/scale', '/zero'].map((end) => `relu1/int8PerChannel__${end}`),
  );
});

test('a tensor that does not cross may be named; bytes stay bytes', async () => {
  const program = await imported('mlp');
  const plan = planOf(program, {}, 'a');
  const { schedule } = lowered(program, { cluster, plan: encoded(plan, { relu1: 'float16' }) });
  assert.is(bytesMoved(schedule), 0);
  assert.not(schedule.program.tensors.has('relu1/float16'));
});

test('an empty range, and values beyond one: zero is exact, the rest its nearest', async () => {
  const program = await imported('mlp');
  const plan = planOf(program, { fc2: 'b' }, 'a');
  for (const range of [
    [0, 0],
    [1, 3],
    [-2, -1],
  ] as const) {
    await assertRoundedByHand(program, plan, () => ({ int8: [...range] }));
  }
});

/** Model, encodings, operators elsewhere than on a; what the error says. */
// biome-ignore format: one row a case
const refused: Readonly<Record<string, readonly [ModelName, Record<string, Encoding>, Plan['operators'], RegExp]>> = {
  'no such tensor': ['mlp', { relu9: 'float16' }, {}, /there is no such tensor/],
  'a weight': ['mlp', { 'fc1.weight': 'float16' }, {}, /it is a weight/],
  'integers': ['integers', { ids: 'float16' }, {}, /it holds int64; only float32 is encoded/],
  'integers in 8 bits': ['integers', { ids: { int8: [0, 9] } }, {}, /it holds int64; only float32 is encoded/],
  'too few ranges': ['mlp', { relu1: { int8PerChannel: { axis: 1, ranges: [[0, 9], [0, 9]] } } }, {}, /it has 128 channels along axis 1, and 2 ranges are given/],
  'channels along an axis that is not there': ['mlp', { relu1: { int8PerChannel: { axis: 2, ranges: [[0, 9]] } } }, {}, /it has 2 dimensions, none is axis 2/],
  'integers, by channel': ['integers', { ids: { int8PerChannel: { axis: 0, ranges: [[0, 9]] } } }, {}, /it holds int64; only float32 is encoded/],
  'addends in 8 bits, by channel': ['mlp', { fc2: { int8PerChannel: { axis: 0, ranges: [[0, 9], [0, 9], [0, 9], [0, 9]] } } }, { fc2: [{ device: 'a', reduce: { k: '0:64' } }, { device: 'b', reduce: { k: '64:128' } }] }, /addends of it cross/],
  'addends in 8 bits': ['mlp', { fc2: { int8: [0, 9] } }, { fc2: [{ device: 'a', reduce: { k: '0:64' } }, { device: 'b', reduce: { k: '64:128' } }] }, /addends of it cross/],
};
for (const [what, [name, encodings, operators, message]] of Object.entries(refused)) {
  test(`refused: ${what}`, async () => {
    const program = await imported(name);
    const plan = encoded(planOf(program, operators, 'a'), encodings);
    const error = await errorOf('plan-encoding', () => lowered(program, { cluster, plan }));
    assert.match(error.message, message);
    assert.equal(error.context.at, [`plan, encoding of "${Object.keys(encodings)[0]}"`]);
    assert.ok(error.context.hint);
  });
}

test('refused: an opset without such an operator', async () => {
  const program = await imported('mlp');
  const plan = planOf(program, { fc2: 'b' }, 'a');
  const relu1 = tensorOf(program, 'relu1');
  const attempt = (opset: number, encode: Encode) =>
    lowered({ ...program, opsets: { '': opset } }, { cluster, plan: encoded(plan, { relu1: encode(relu1) }) });
  for (const [encode, first] of [
    [float16, 6],
    [int8, 10],
    [int8PerChannel, 13],
  ] as const) {
    attempt(first, encode);
    const error = await errorOf('plan-encoding', () => attempt(first - 1, encode));
    assert.is(error.message, `the model has opset ${first - 1}, ${encode.name} needs ${first}`);
  }
});

test.run();
