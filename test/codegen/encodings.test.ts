/** Bundles with encodings: bit for bit what rounding by hand between the two halves of a model gives, and the bytes planned. */
import { writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../compiler/compile.ts';
import type { Encoding, Plan, Range } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { Builder, type Tensor } from '../../fixtures/zoo/builder.ts';
import { conv, relu } from '../../fixtures/zoo/layers.ts';
import { encodeModel } from '../../fixtures/zoo/write.ts';
import { openBundle } from '../../runtime/bundle.ts';
import { workFolder } from '../support/cli.ts';
import { throughWire } from '../support/codecs.ts';
import { execute } from '../support/execute.ts';
import { bytesMoved, clusterOf, imported, modelFile, planOf } from '../support/imported.ts';
import { assertEqualOutputs, inputsFor, reference } from '../support/reference.ts';

const test = suite('encoded bundles');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2 }, 'b');

const front = (g: Builder, x: Tensor): Tensor => relu(g, conv(g, x, 'conv1', 8, 3, { pad: 1 }), 'h');
const back = (g: Builder, h: Tensor): Tensor =>
  conv(g, relu(g, conv(g, h, 'conv2', 8, 3, { pad: 1 }), 'relu2'), 'y', 4, 1);

/** Weights are the same in the halves as in the whole: they are random by name. */
function modelOf(name: string, input: string, channels: number, output: string, build: typeof front): string {
  const g = new Builder('halves');
  g.output(build(g, g.input(input, [1, channels, 24, 20])), output);
  const file = work.path(`${name}.onnx`);
  writeFileSync(file, encodeModel(g.finish()));
  return file;
}

const whole = modelOf('whole', 'x', 3, 'out', (g, x) => back(g, front(g, x)));
const halves = [modelOf('front', 'x', 3, 'mid', front), modelOf('back', 'mid', 8, 'out', back)] as const;

const ranges = Array.from({ length: 8 }, (_, i): Range => [-i, 1 + i / 2]);
const encodings: Readonly<Record<string, Encoding>> = {
  float16: 'float16',
  int8: { int8: [0, 3] },
  int8PerChannel: { int8PerChannel: { axis: 1, ranges } },
};
for (const [name, encoding] of Object.entries(encodings)) {
  for (const transport of ['memory', 'tcp'] as const) {
    test(`${name}, ${transport}: what crosses is rounded, and nothing else`, async () => {
      const output = work.path(`${name}-${transport}`);
      const operators: Plan['operators'] = { conv1: 'a', h: 'a', conv2: 'b', relu2: 'b', y: 'b' };
      const plan: Plan = {
        ...{ format: 1, model: 'whole.onnx', policy: 'by hand', operators },
        ...{ maxRelativeError: 0.1, encodings: { h: encoding } },
      };
      const { schedule } = await compile({ model: whole, cluster, plan, output });
      assert.is(bytesMoved(schedule), 8 * 24 * 20 * (name === 'float16' ? 2 : 1));
      const bundle = await openBundle(output, { transport, threads: 1 });
      try {
        const inputs = inputsFor(bundle.inputs);
        const { outputs } = await bundle.infer(inputs);
        const { mid } = await reference(halves[0], inputs);
        const expected = await reference(halves[1], { mid: throughWire(encoding, mid!) });
        assert.equal(outputs, expected);
        assert.not.equal(outputs, await reference(whole, inputs));
        const { a, b } = await bundle.stats();
        assert.equal([a!.bytesSent, b!.bytesReceived], [bytesMoved(schedule), bytesMoved(schedule)]);
      } finally {
        await bundle.close();
      }
    });
  }
}

test('rows shared, halos as float16 and in 8 bits: as the program computes it, and as many bytes', async () => {
  const program = await imported('convChain');
  const plan: Plan = {
    ...(await makePlan(program, cluster, 'spatial')),
    maxRelativeError: 0.1,
    encodings: { x: { int8: [-2, 2] }, relu1: 'float16', relu2: { int8: [0, 4] }, pool1: 'float16', y: 'float16' },
  };
  const output = work.path('rows');
  const { schedule } = await compile({ model: modelFile('convChain'), cluster, plan, output });
  const wire = new Set(schedule.channels.map(({ value }) => schedule.program.tensors.get(value.tensor)!.dtype));
  assert.ok(wire.has('uint8') && wire.has('float16'), `what crosses is ${[...wire]}`);
  const bundle = await openBundle(output, { transport: 'memory', threads: 1 });
  try {
    const inputs = inputsFor(bundle.inputs);
    const { outputs } = await bundle.infer(inputs);
    // Sums of other orders may round to the next step, and that is all.
    assertEqualOutputs(outputs, await execute(schedule.program, inputs), { rtol: 1e-4, atol: 5e-3 });
    const stats = Object.values(await bundle.stats());
    assert.is(
      stats.reduce((sum, { bytesSent }) => sum + bytesSent, 0),
      bytesMoved(schedule),
    );
  } finally {
    await bundle.close();
  }
});

test('a picture of bytes crosses as bytes', async () => {
  const program = await imported('integers');
  const plan = { ...planOf(program, {}, 'b'), maxRelativeError: 0.1, encodings: { scores: 'float16' as const } };
  const output = work.path('bytes');
  const { schedule } = await compile({ model: modelFile('integers'), cluster, plan, output });
  const sent = Object.fromEntries(schedule.channels.map(({ value, bytes }) => [value.tensor, bytes]));
  assert.equal(sent, { picture: 12 * 16 * 3, ids: 6 * 8 });
});

test.run();
