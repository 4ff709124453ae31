/** What becomes of a model's nodes, weights and outputs in the imported program. */
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  computes,
  floats,
  floatsOf,
  imported,
  int64s,
  node,
  operatorOf,
  ramp,
  tensorAttribute,
  value,
  valueNames,
  weightNamed,
  workFolder,
} from './make.ts';
import { sameResults } from './same-results.ts';

const work = workFolder();
test.after(work.remove);

test("names: the node's, else its first output's; the second of a name gets #2", async () => {
  const program = await imported(
    work.model({
      nodes: [
        node('Relu', ['x'], ['a'], {}, { name: 'act' }),
        node('Sigmoid', ['a'], ['b'], {}, { name: 'act' }),
        node('Tanh', ['b'], ['act#2']),
        node('Exp', ['act#2'], ['y'], {}, { name: 'act' }),
      ],
    }),
  );
  assert.equal(
    program.operators.map(({ origin }) => origin),
    ['act', 'act#3', 'act#2', 'act#4'],
  );
  assert.is(program.stage, 'imported');
  assert.is(program.name, 'model.onnx');
  assert.is(program.placement, null);
  assert.ok(program.operators.every(({ device }) => device === null));
});

test("operators come in topological order, whatever the model's", async () => {
  const program = await imported(
    work.model({ nodes: [node('Exp', ['b'], ['y']), node('Relu', ['x'], ['a']), node('Tanh', ['a'], ['b'])] }),
  );
  assert.equal(
    computes(program).map(({ type }) => type),
    ['Relu', 'Tanh', 'Exp'],
  );
});

test('roles, dtypes and shapes of all values; regions are whole', async () => {
  const file = work.model({
    nodes: [
      node('MatMul', ['x', 'w'], ['h']),
      node('Div', ['h', 'b'], ['s']),
      node('Cast', ['s'], ['y'], { to: { kind: 'int', value: 7 } }),
    ],
    inputs: [value('x', [2, 60])],
    outputs: [value('y', undefined, 7)],
    initializers: [ramp('w', [60, 30]), floats('b', [1], [2])],
  });
  const program = await imported(file);
  const described = [...program.tensors.values()].map(
    ({ name, role, dtype, shape }) => `${name} ${role} ${dtype} ${shape}`,
  );
  assert.equal(described, [
    'x input float32 2,60',
    'w weight float32 60,30',
    'b weight float32 1',
    'h inner float32 2,30',
    's inner float32 2,30',
    'y output int64 2,30',
  ]);
  assert.is(weightNamed(program, 'w').source.kind, 'file');
  assert.is(weightNamed(program, 'b').source.kind, 'inline');
  const [x] = operatorOf(program, 'MatMul').inputs;
  assert.equal(x?.kind === 'value' && x.region, [
    [0, 2],
    [0, 60],
  ]);
  await sameResults(file, program);
});

test('needless nodes are gone, constants are folded, what nobody uses is left out', async () => {
  const file = work.model({
    nodes: [
      node('Identity', ['x'], ['i']),
      node('Dropout', ['i'], ['d', 'mask']),
      node('Shape', ['d'], ['shape']),
      node('Reshape', ['d', 'shape'], ['r']),
      node('Mul', ['two', 'two'], ['four']),
      node('Mul', ['r', 'four'], ['y']),
      node('Relu', ['x'], ['unused']),
    ],
    initializers: [floats('two', [1], [2]), ramp('never', [3000]), ramp('small', [3])],
  });
  const program = await imported(file);
  assert.ok(program.operators.length <= 2);
  assert.not.ok(program.tensors.has('never') || program.tensors.has('small') || program.tensors.has('unused'));
  await sameResults(file, program);
});

test('what is folded to one repeated element is a fill', async () => {
  const program = await imported(
    work.model({
      nodes: [node('Expand', ['c', 's'], ['e']), node('Add', ['x', 'e'], ['y'])],
      inputs: [value('x', [100, 100])],
      initializers: [floats('c', [1], [0.5]), int64s('s', [100, 100])],
    }),
  );
  const { source } = weightNamed(program, 'e');
  assert.equal(source.kind === 'fill' && floatsOf(source.bytes), [0.5]);
});

test('ConstantOfShape is a fill, its shape an initializer or a Constant; small ones are folded', async () => {
  const file = work.model({
    nodes: [
      node('ConstantOfShape', ['s'], ['zeros']),
      node('Constant', [], ['t'], { value_ints: { kind: 'ints', value: [2, 5000] } }),
      node('Constant', [], ['u'], { value: tensorAttribute(int64s('', [2, 5000])) }),
      node('ConstantOfShape', ['u'], ['twos'], { value: tensorAttribute(floats('', [1], [2])) }),
      node('ConstantOfShape', ['t'], ['ones'], { value: tensorAttribute(floats('', [1], [1])) }),
      node('ConstantOfShape', ['v'], ['three'], { value: tensorAttribute(floats('', [1], [3])) }),
      node('Sum', ['x', 'zeros', 'twos', 'ones', 'three'], ['y']),
    ],
    inputs: [value('x', [2, 5000])],
    initializers: [int64s('s', [2, 5000]), int64s('v', [1])],
  });
  const program = await imported(file);
  const element = (name: string) => {
    const { source } = weightNamed(program, name);
    return source.kind === 'fill' && floatsOf(source.bytes)[0];
  };
  assert.equal([element('zeros'), element('twos'), element('ones')], [0, 2, 1]);
  assert.is(weightNamed(program, 'three').source.kind, 'inline');
  assert.is(program.operators.length, 1);
  await sameResults(file, program);
});

test('in IR 3 initializers are inputs too: they are weights', async () => {
  const file = work.model({
    ir: 3,
    opsets: { '': 9 },
    nodes: [node('MatMul', ['x', 'w'], ['h']), node('Add', ['h', 'b'], ['y'])],
    inputs: [value('w', [4, 500]), value('x', [1, 4]), value('b', [500])],
    initializers: [ramp('w', [4, 500]), ramp('b', [500])],
  });
  const program = await imported(file);
  assert.equal(program.inputs, ['x']);
  assert.is(weightNamed(program, 'w').source.kind, 'file');
  assert.ok(program.irVersion >= 4);
  await sameResults(file, program);
});

test('an output that is an input or a weight is that tensor; one named twice counts once', async () => {
  const file = work.model({
    nodes: [node('Relu', ['x'], ['y']), node('Identity', ['x'], ['same'])],
    outputs: [value('x'), value('y'), value('big'), value('y'), value('small'), value('same')],
    initializers: [ramp('big', [2000]), ramp('small', [2])],
  });
  const program = await imported(file);
  assert.equal(program.outputs, ['x', 'y', 'big', 'small', 'same']);
  assert.equal(
    program.outputs.map((name) => program.tensors.get(name)!.role),
    ['input', 'output', 'weight', 'weight', 'output'],
  );
  await sameResults(file, program);
});

test('omitted inputs and outputs are null', async () => {
  const file = work.model({
    nodes: [
      node('Clip', ['x', '', 'most'], ['c']),
      node('GRU', ['c3', 'w', 'r', '', '', 'h0'], ['', 'y'], { hidden_size: { kind: 'int', value: 2 } }),
      node('Unsqueeze', ['c', 'axes'], ['c3']),
    ],
    initializers: [floats('most', [], [3]), ramp('w', [1, 6, 4], 10), ramp('r', [1, 6, 2], 10), int64s('axes', [0])],
    inputs: [value('x', [1, 4]), value('h0', [1, 1, 2])],
  });
  const program = await imported(file);
  assert.equal(valueNames(operatorOf(program, 'Clip').inputs), ['x', null, 'most']);
  const gru = operatorOf(program, 'GRU');
  assert.equal(valueNames(gru.inputs).slice(3), [null, null, 'h0']);
  assert.equal(valueNames(gru.outputs), [null, 'y']);
  await sameResults(file, program, { h0: new OrtTensor('float32', [1, 2], [1, 1, 2]) });
});

test.run();
