/** Models of old operator sets, whose reductions are shared: what joins the addends need not exist in their opset. */
import { suite } from 'uvu';
import { compile } from '../../compiler/compile.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, planOf } from '../support/imported.ts';
import { assertBuildEquals } from '../support/reference.ts';
import { modelBytes, node, ramp, value } from './make.ts';

const test = suite('old opsets');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2, c: 1 }, 'c');

const ints = (...list: number[]) => ({ kind: 'ints', value: list }) as const;
const window = { kernel_shape: ints(3, 3), pads: ints(1, 1, 1, 1) };
/** Thirds of a reduction over six, each on a device of its own. */
const shared = (letter: string) =>
  ['0:1', '1:4', '4:6'].map((span, i) => ({ device: 'abc'[i]!, reduce: { [letter]: span } }));

/** Relu has no kernel in opset 1: the sums are the output. */
const product = {
  nodes: [node('MatMul', ['x', 'w'], ['y'], {}, { name: 'product' })],
  inputs: [value('x', [4, 6])],
  outputs: [value('y', [4, 5])],
  initializers: [ramp('w', [6, 5], 10)],
};
const convolution = {
  nodes: [node('Conv', ['x', 'w', 'b'], ['y'], window, { name: 'conv' })],
  inputs: [value('x', [1, 6, 7, 7])],
  outputs: [value('y', [1, 2, 7, 7])],
  initializers: [ramp('w', [2, 6, 3, 3], 50), ramp('b', [2])],
};
/** The sums are read on. */
const layers = {
  nodes: [
    node('Conv', ['x', 'w', 'b'], ['h'], window, { name: 'conv' }),
    node('Relu', ['h'], ['r'], {}, { name: 'relu' }),
    node('MaxPool', ['r'], ['y'], { kernel_shape: ints(2, 2) }, { name: 'pool' }),
  ],
  inputs: convolution.inputs,
  outputs: [value('y', [1, 2, 6, 6])],
  initializers: convolution.initializers,
};

const cases: readonly [string, Parameters<typeof modelBytes>[0], Plan['operators']][] = [
  ['a product in opset 1', { ...product, opsets: { '': 1 } }, { product: shared('k') }],
  ['a convolution in opset 1', { ...convolution, opsets: { '': 1 } }, { conv: shared('c') }],
  ['a product in opset 6', { ...product, opsets: { '': 6 } }, { product: shared('k') }],
  ['layers in opset 6', { ...layers, opsets: { '': 6 } }, { conv: shared('c') }],
  ['layers in opset 7', { ...layers, opsets: { '': 7 } }, { conv: shared('c') }],
];

for (const [i, [what, parts, operators]] of cases.entries()) {
  test(what, async () => {
    const model = work.write(`${i}.onnx`, modelBytes({ ...parts, ir: 4 }));
    const output = work.path(String(i));
    const plan = planOf(await importModel(model), operators, 'b');
    await compile({ model, cluster, plan, output });
    await assertBuildEquals(output, model);
  });
}

test.run();
