/** Encodings under a budget: what is chosen is measured, holds the budget on a run of its own, and makes the plan faster. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compare } from '../compiler/compare.ts';
import { compile } from '../compiler/compile.ts';
import { checkEncodings, chooseEncodings, type Encoded, planWithin } from '../compiler/encode.ts';
import { importModel } from '../compiler/onnx/import.ts';
import { type BytesPerFloat, encodingName, obstacle } from '../compiler/planning/encodings.ts';
import type { Plan } from '../compiler/planning/plan.ts';
import { makePlan } from '../compiler/planning/policies/index.ts';
import type { Subject } from '../compiler/rehearsal.ts';
import { Builder, type Tensor } from '../fixtures/zoo/builder.ts';
import { binary, conv, relu } from '../fixtures/zoo/layers.ts';
import { encodeModel } from '../fixtures/zoo/write.ts';
import { openBundle } from '../runtime/bundle.ts';
import { randomTensor, type TensorSpec } from '../runtime/index.ts';
import { workFolder } from './support/cli.ts';
import { errorOf } from './support/error.ts';
import { bytesMoved, clusterOf, imported, lowered, type ModelName, modelFile, planOf } from './support/imported.ts';
import { inputsFor, type Named, reference } from './support/reference.ts';

const test = suite('encode');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2 }, 'a', '10 Mbit/s');

const subjectOf = async (name: ModelName): Promise<Subject> => ({
  model: modelFile(name),
  program: await imported(name),
  cluster,
});
const seeded = async (specs: readonly TensorSpec[]): Promise<Named> => inputsFor(specs, 5);

/** The error that the compiled plan has, measured without the chooser. */
async function errorOnItsOwn({ model }: Subject, plan: Plan): Promise<number> {
  const output = work.path('measured');
  await compile({ model, cluster, plan, output });
  const bundle = await openBundle(output, { transport: 'memory' });
  try {
    const inputs = await seeded(bundle.inputs);
    const { outputs } = await bundle.infer(inputs);
    const expected = Object.entries(await reference(model, inputs));
    return Math.max(...expected.map(([name, tensor]) => compare(name, outputs[name], tensor).maxRel));
  } finally {
    await bundle.close();
  }
}

const scheduleOf = ({ program, cluster }: Subject, plan: Plan) => lowered(program, { cluster, plan }).schedule;
const namesOf = ({ encodings = {} }: Plan) => new Set(Object.values(encodings).map(encodingName));

async function assertHolds(subject: Subject, plan: Plan, encoded: Encoded, budget: number): Promise<void> {
  const [before, after] = [scheduleOf(subject, plan), scheduleOf(subject, encoded.plan)];
  const measured = await errorOnItsOwn(subject, encoded.plan);
  assert.ok(measured <= budget, `${measured} on a run of its own, ${budget} allowed`);
  assert.ok(Math.abs(measured - encoded.relativeError!) < 0.1 * measured, `${encoded.relativeError} was told`);
  assert.ok(after.makespan < before.makespan && bytesMoved(after) < bytesMoved(before));
}

for (const name of ['convChain', 'residualBlock', 'unet', 'transformerBlock'] as const) {
  for (const maxRelativeError of [2e-3, 3e-2]) {
    test(`${name}, rows shared, within ${maxRelativeError}`, async () => {
      const subject = await subjectOf(name);
      const plan = await makePlan(subject.program, cluster, 'spatial');
      const encoded = await chooseEncodings(subject, plan, { maxRelativeError, inputs: seeded });
      assert.is(encoded.plan.maxRelativeError, maxRelativeError);
      await assertHolds(subject, plan, encoded, maxRelativeError);
      if (maxRelativeError === 3e-2) assert.ok(namesOf(encoded.plan).has('int8'), 'bytes where they are good enough');
    });
  }
}

test('float16 where bytes are too coarse; nothing where float16 is', async () => {
  const subject = await subjectOf('residualBlock');
  const plan = await makePlan(subject.program, cluster, 'spatial');
  const fine = await chooseEncodings(subject, plan, { maxRelativeError: 8e-4, inputs: seeded });
  assert.ok(namesOf(fine.plan).has('float16'));
  const exact = await chooseEncodings(subject, plan, { maxRelativeError: 1e-5, inputs: seeded });
  assert.equal(exact.plan, plan);
  assert.ok(exact.overBudget.length > 0 && exact.relativeError! < 1e-5);
});

/** Channel i of `small` is 2^-i times as large as channel 0, and counts for as much in what follows. */
function unevenModel(opset: number): string {
  const g = new Builder('uneven', { opset });
  const channels = Array.from({ length: 8 }, (_, i) => 2 ** -i);
  const times = (x: Tensor, name: string, values: readonly number[]) =>
    binary(g, 'Mul', x, g.constant(`${name}.by`, 'float32', [8, 1, 1], { kind: 'values', values }), name);
  const positive = relu(g, conv(g, g.input('x', [1, 3, 24, 20]), 'conv1', 8, 3, { pad: 1 }), 'positive');
  const small = times(positive, 'small', channels);
  const large = times(
    small,
    'large',
    channels.map((one) => 1 / one),
  );
  g.output(conv(g, large, 'conv2', 4, 3, { pad: 1 }), 'y');
  return work.write(`uneven-${opset}.onnx`, encodeModel(g.finish()));
}

for (const [opset, expected] of [
  [17, 'int8PerChannel'],
  [12, 'float16'],
] as const) {
  test(`channels of unlike magnitude: ${expected} at opset ${opset}`, async () => {
    const model = unevenModel(opset);
    const subject = { model, program: await importModel(model), cluster };
    const plan = planOf(subject.program, { conv1: 'a', positive: 'a', small: 'a' }, 'b');
    const encoded = await chooseEncodings(subject, plan, { maxRelativeError: 2e-2, inputs: seeded });
    await assertHolds(subject, plan, encoded, 2e-2);
    const [name] = Object.entries(encoded.plan.encodings!).flatMap(([tensor, one]) =>
      tensor === 'small' ? [encodingName(one)] : [],
    );
    assert.is(name, expected);
    const coarse = { ...plan, encodings: { small: { int8: [-2, 2] as [number, number] } } };
    await errorOf('encoding-error', () => checkEncodings(subject, coarse, { maxRelativeError: 2e-2, inputs: seeded }));
  });
}

test('channels of few elements have no range of their own', async () => {
  const subject = await subjectOf('mlp');
  const plan = planOf(subject.program, { fc2: 'b' }, 'a');
  for (const maxRelativeError of [1e-3, 4e-3, 1e-2, 0.1]) {
    const encoded = await chooseEncodings(subject, plan, { maxRelativeError, inputs: seeded });
    assert.not(namesOf(encoded.plan).has('int8PerChannel'));
  }
});

test('a budget that even the exact plan breaks leaves it exact, and says how far it is off', async () => {
  const subject = await subjectOf('residualBlock');
  const plan = await makePlan(subject.program, cluster, 'spatial');
  const encoded = await chooseEncodings(subject, plan, { maxRelativeError: 1e-12, inputs: seeded });
  assert.equal(encoded.plan, plan);
  assert.ok(encoded.relativeError! > 1e-12);
});

test('where links are fast nothing is gained, and nothing encoded', async () => {
  const subject = { ...(await subjectOf('residualBlock')), cluster: clusterOf({ a: 1, b: 2 }, 'a', '100 GB/s') };
  const plan = await makePlan(subject.program, subject.cluster, 'spatial');
  const encoded = await chooseEncodings(subject, plan, { maxRelativeError: 0.1 });
  assert.equal([encoded.plan, encoded.overBudget], [plan, []]);
  assert.ok(encoded.needless.length > 0);
});

test('what is stopped keeps what was measured before', async () => {
  const controller = new AbortController();
  const subject = { ...(await subjectOf('residualBlock')), request: { signal: controller.signal } };
  const plan = await makePlan(subject.program, cluster, 'spatial');
  const runs: number[] = [];
  const progress = (_: string, done: number) => {
    runs.push(done);
    if (done === 1) controller.abort();
  };
  const encoded = await chooseEncodings(subject, plan, { maxRelativeError: 0.1, inputs: seeded, progress });
  assert.equal([runs, [...namesOf(encoded.plan)]], [[0, 1], ['float16']]);
});

test('nothing crosses: nothing is measured', async () => {
  const subject = await subjectOf('mlp');
  const plan = planOf(subject.program, {}, 'a');
  const inputs = () => Promise.reject(new Error('measured'));
  const encoded = await chooseEncodings(subject, plan, { maxRelativeError: 0.1, inputs });
  assert.equal(encoded, { plan, relativeError: null, overBudget: [], needless: [] });
});

test('bytes, integers and what holds them cross as they are', async () => {
  const subject = await subjectOf('integers');
  const plan = await makePlan(subject.program, cluster, 'spatial');
  const { plan: chosen } = await chooseEncodings(subject, plan, { maxRelativeError: 0.1 });
  const { schedule } = lowered(subject.program, { cluster, plan: chosen });
  const sent = schedule.channels.filter(({ value }) => obstacle(subject.program, value.tensor, 'float16'));
  const dtypes = new Set(sent.map(({ value }) => schedule.program.tensors.get(value.tensor)!.dtype));
  assert.ok(dtypes.has('uint8') && dtypes.has('int64'), `${[...dtypes]}`);
  for (const tensor of Object.keys(chosen.encodings ?? {}))
    assert.is(subject.program.tensors.get(tensor)!.dtype, 'float32');
});

test('inputs are asked for once, and errors are measured on them', async () => {
  const subject = await subjectOf('residualBlock');
  const plan = planOf(subject.program, {}, 'b');
  let asked = 0;
  // float16 ends at 65504.
  const huge = async ([spec]: readonly TensorSpec[]): Promise<Named> => {
    asked++;
    const { data, dims } = randomTensor(spec!, 1);
    return { [spec!.name]: { type: 'float32', dims, data: Float32Array.from(data as Float32Array, (x) => 1e9 * x) } };
  };
  const float16 = { ...plan, encodings: { x: 'float16' as const } };
  const error = await errorOf('encoding-error', () =>
    checkEncodings(subject, float16, { maxRelativeError: 0.5, inputs: huge }),
  );
  assert.match(error.message, /put an output off .*0\.5 allowed/);
  const { plan: chosen } = await chooseEncodings(subject, plan, { maxRelativeError: 0.5, inputs: huge });
  assert.is(asked, 2);
  assert.not(namesOf(chosen).has('float16'));
});

test("a plan's own encodings: measured, kept as they are, with the budget that is stated", async () => {
  const subject = await subjectOf('mlp');
  const plan: Plan = { ...planOf(subject.program, { fc2: 'b' }, 'a'), encodings: { relu1: 'float16' } };
  const { relativeError, plan: checked } = await checkEncodings(subject, plan, { maxRelativeError: 1e-2 });
  assert.ok(relativeError! > 0 && relativeError! < 1e-2);
  assert.equal(checked, { ...plan, maxRelativeError: 1e-2 });
  await errorOf('encoding-error', () => checkEncodings(subject, plan, { maxRelativeError: 1e-9 }));
});

test('planners see two bytes a float; four where that is faster within the budget', async () => {
  const subject = await subjectOf('residualBlock');
  const told: BytesPerFloat[] = [];
  const planner = (bytesPerFloat: BytesPerFloat) => {
    told.push(bytesPerFloat);
    return makePlan(subject.program, cluster, bytesPerFloat === 2 ? 'whole:b' : 'spatial');
  };
  const within = await planWithin(subject, planner, { maxRelativeError: 1e-2, inputs: seeded });
  assert.equal([told, within.plan.policy, within.bytesPerFloat], [[2, 4], 'whole:b', 2]);
  const beyond = await planWithin(subject, planner, { maxRelativeError: 1e-6, inputs: seeded });
  assert.equal([told, beyond.plan.policy, beyond.bytesPerFloat], [[2, 4, 2, 4], 'spatial', 4]);
});

test.run();
