/** Models at the edges of what ONNX allows, as bundles: no inputs, no operators, scalars, nothing in a tensor, dtypes, unknown shapes. */
import { suite } from 'uvu';
import { createTensor } from '../../compiler/onnx/proto.ts';
import { floats, graphAttribute, int64s, modelBytes, node, ramp, value } from '../onnx/make.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf } from '../support/imported.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('odd models');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2, c: 3 }, 'c');
const [INT64, BOOL, FLOAT16, DOUBLE, INT4] = [7, 9, 10, 11, 22];
const int = (one: number) => ({ kind: 'int', value: one }) as const;
const relu = node('Relu', ['x'], ['h']);
const exp = node('Exp', ['h'], ['y']);
const x = (...shape: number[]) => [value('x', shape)];
const y = (...shape: number[]) => value('y', shape);
const branch = (type: string, name: string) =>
  graphAttribute({ name, node: [node(type, ['x'], [name])], output: [value(name, [4, 4])] });

// biome-ignore format: one row a model
const models: Readonly<Record<string, Parameters<typeof modelBytes>[0]>> = {
  'an output that is an input': { nodes: [relu], inputs: x(2, 3), outputs: [value('h', [2, 3]), value('x', [2, 3])] },
  'no operators': { nodes: [], inputs: x(2, 3), outputs: [value('x', [2, 3])] },
  'an output that is a weight': { nodes: [relu], inputs: x(2, 3), initializers: [ramp('w', [4])], outputs: [value('h', [2, 3]), value('w', [4])] },
  'no inputs': { nodes: [node('Sigmoid', ['w'], ['h']), exp], inputs: [], initializers: [ramp('w', [2000], 1000)], outputs: [y(2000)] },
  'an input that nothing reads': { nodes: [relu, exp], inputs: [...x(4, 4), value('idle', [3])], outputs: [y(4, 4)] },
  'one output twice, and inner ones': { nodes: [relu, exp], inputs: x(4, 4), outputs: [value('h', [4, 4]), y(4, 4), value('h', [4, 4])] },
  scalars: { nodes: [relu, node('ReduceSum', ['h'], ['m'], { keepdims: int(0) }), node('Mul', ['m', 'm'], ['y'])], inputs: x(8, 8), outputs: [y()] },
  'tensors without elements': { nodes: [relu, exp], inputs: x(0, 4), outputs: [y(0, 4)] },
  'shapes that the data decide': { nodes: [relu, node('NonZero', ['h'], ['n']), node('Cast', ['n'], ['k'], { to: int(1) }), node('Exp', ['k'], ['y'])], inputs: x(4, 4), outputs: [value('y', [2, 'n'])] },
  bool: { nodes: [node('Greater', ['x', 't'], ['g']), node('Not', ['g'], ['y'])], inputs: x(4, 4), initializers: [ramp('t', [1])], outputs: [value('y', [4, 4], BOOL)] },
  float16: { nodes: [relu, node('Add', ['h', 'h'], ['y'])], inputs: [value('x', [4, 4], FLOAT16)], outputs: [value('y', [4, 4], FLOAT16)] },
  float64: { nodes: [relu, node('Add', ['h', 'h'], ['y'])], inputs: [value('x', [4, 4], DOUBLE)], outputs: [value('y', [4, 4], DOUBLE)] },
  'integers of 4 bits within': { nodes: [node('QuantizeLinear', ['x', 's', 'z'], ['q'], { axis: int(0) }), node('DequantizeLinear', ['q', 's', 'z'], ['h'], { axis: int(0) }), exp], inputs: x(4, 4), initializers: [floats('s', [4], [0.1, 0.2, 0.3, 0.4]), createTensor({ name: 'z', dataType: INT4, dims: [4], rawData: Uint8Array.of(0x21, 0x10) })], outputs: [y(4, 4)], opsets: { '': 21 } },
  'several outputs: Split': { nodes: [relu, node('Split', ['h'], ['p', 'q'], { axis: int(1), num_outputs: int(2) }), node('Add', ['p', 'q'], ['y'])], inputs: x(4, 8), outputs: [y(4, 4)], opsets: { '': 18 } },
  'several outputs: TopK': { nodes: [relu, node('TopK', ['h', 'k'], ['v', 'i']), node('Exp', ['v'], ['y'])], inputs: x(4, 8), initializers: [int64s('k', [3])], outputs: [y(4, 3), value('i', [4, 3], INT64)] },
  'several outputs: LayerNormalization': { nodes: [node('LayerNormalization', ['x', 's'], ['h', 'mean', 'inv']), exp], inputs: x(4, 8), initializers: [ramp('s', [8], 8)], outputs: [y(4, 8), value('mean', [4, 1]), value('inv', [4, 1])] },
  'several outputs: MaxPool': { nodes: [node('MaxPool', ['x'], ['h', 'at'], { kernel_shape: { kind: 'ints', value: [2, 2] }, strides: { kind: 'ints', value: [2, 2] } }), exp], inputs: x(1, 2, 8, 8), outputs: [y(1, 2, 4, 4), value('at', [1, 2, 4, 4], INT64)] },
  'a branch that reads outer values': { nodes: [node('ReduceMax', ['x'], ['m'], { keepdims: int(0) }), node('Greater', ['m', 't'], ['c']), node('If', ['c'], ['y'], { then_branch: branch('Relu', 'p'), else_branch: branch('Exp', 'q') })], inputs: x(4, 4), initializers: [ramp('t', [])], outputs: [y(4, 4)] },
};

for (const [i, [what, parts]] of Object.entries(models).entries()) {
  test(what, async () => {
    const model = work.write(`${i}.onnx`, modelBytes(parts));
    const last = parts!.initializers && !parts!.inputs?.length ? undefined : parts!.nodes?.at(-1)?.output[0];
    for (const policy of ['whole:b', 'spatial', ...(last ? [`cut:${last}`] : [])]) {
      await assertRuns({ model, cluster, policy, output: work.path(`${i}-${policy.slice(0, 3)}`) });
    }
  });
}

test.run();
