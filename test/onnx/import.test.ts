/** What becomes of a model's parts in the imported program. */
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compute, Program } from '../../compiler/ir/program.ts';
import { createTensor, onnx } from '../../compiler/onnx/proto.ts';
import { field } from '../../compiler/onnx/wire.ts';
import {
  floats,
  floatsOf,
  graphAttribute,
  imported,
  int64s,
  modelBytes,
  node,
  ramp,
  strings,
  tensorAttribute,
  value,
  weightNamed,
  workFolder,
} from './make.ts';
import { bytesOf, rebuild } from './rebuild.ts';

const work = workFolder();
test.after(work.remove);

const computes = (program: Program): Compute[] => program.operators.filter((operator) => operator.kind === 'compute');
const operatorOf = (program: Program, type: string): Compute =>
  computes(program).find((operator) => operator.type === type)!;
const names = (values: Compute['inputs']) => values.map((found) => (found?.kind === 'value' ? found.tensor : found));

async function run(model: Uint8Array | string, feeds: Readonly<Record<string, OrtTensor>>) {
  const options = { logSeverityLevel: 4 } as const;
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options));
  const results = await session.run(feeds);
  await session.release();
  return results;
}

/** Both models give the same on x = 1, 2, 3 … and `feeds`. */
async function sameResults(file: string, program: Program<'imported'>, feeds: Record<string, OrtTensor> = {}) {
  const x = program.tensors.get('x');
  if (x) {
    const shape = x.shape.map(Number);
    const count = shape.reduce((product, size) => product * size, 1);
    feeds.x = new OrtTensor(
      'float32',
      Float32Array.from({ length: count }, (_, i) => i + 1),
      shape,
    );
  }
  const expected = await run(file, feeds);
  const actual = await run(await rebuild(program), feeds);
  for (const name of program.outputs) {
    assert.is(String(actual[name]!.dims), String(expected[name]!.dims), name);
    assert.is(String(actual[name]!.data), String(expected[name]!.data), name);
  }
}

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
  assert.equal(names(operatorOf(program, 'Clip').inputs), ['x', null, 'most']);
  const gru = operatorOf(program, 'GRU');
  assert.equal(names(gru.inputs).slice(3), [null, null, 'h0']);
  assert.equal(names(gru.outputs), [null, 'y']);
  await sameResults(file, program, { h0: new OrtTensor('float32', [1, 2], [1, 1, 2]) });
});

/** y = c ? x · wt + shared : x · we, the matrices inside the branches, both called `w`. */
const branches = () => {
  const branch = (
    name: string,
    by: number,
    rest: (product: string) => ReturnType<typeof node>[],
    made: ReturnType<typeof node>[],
  ) =>
    graphAttribute({
      name,
      node: [...made, node('MatMul', ['x', 'w'], [`${name}_p`]), ...rest(`${name}_p`)],
      initializer: made.length ? [] : [ramp('w', [40, 40], by)],
      output: [{ name: `${name}_o` }],
    });
  return work.model({
    nodes: [
      node('Exp', ['x'], ['shared']),
      node('If', ['c'], ['y'], {
        then_branch: branch('t', 100, (p) => [node('Add', [p, 'shared'], ['t_o'])], []),
        else_branch: branch('e', 7, (p) => [node('Identity', [p], ['e_o'])], [
          node('Constant', [], ['w'], { value: tensorAttribute(ramp('', [40, 40], 7)) }),
        ]),
      }),
    ],
    inputs: [value('x', [1, 40]), value('c', [], 9)],
  });
};

test('graphs within: what they use from outside is captured, their big weights are hoisted', async () => {
  const file = branches();
  const program = await imported(file);
  const choice = operatorOf(program, 'If');
  assert.equal(names(choice.captures).sort(), ['shared', 'x', 'y/w', 'y/w#2']);
  assert.is(weightNamed(program, 'y/w').source.kind, 'file');
  assert.is(weightNamed(program, 'y/w#2').source.kind, 'file');
  const branch = choice.attributes.then_branch;
  assert.ok(branch?.kind === 'proto' && branch.bytes.length < 1000);
  for (const c of [1, 0]) {
    await sameResults(file, program, { c: new OrtTensor('bool', [c === 1], []) });
  }
});

test("hoisting out of graphs within graphs, a weight that is the graph's output", async () => {
  const inner = graphAttribute({
    name: 'inner',
    node: [node('Add', ['w', 'x'], ['i_o'])],
    output: [{ name: 'i_o' }],
  });
  const other = graphAttribute({
    name: 'other',
    node: [node('Relu', ['x'], ['h_v']), node('Neg', ['h_v'], ['h_o'])],
    output: [{ name: 'h_o' }],
  });
  const file = work.model({
    nodes: [
      node(
        'If',
        ['c'],
        ['y'],
        {
          then_branch: graphAttribute({
            name: 'then',
            initializer: [ramp('w', [1500], 3)],
            node: [node('If', ['c'], ['t_o'], { then_branch: inner, else_branch: other })],
            output: [{ name: 't_o' }],
          }),
          else_branch: graphAttribute({ name: 'else', initializer: [ramp('w', [1500])], output: [{ name: 'w' }] }),
        },
        { name: 'outer' },
      ),
    ],
    inputs: [value('x', [1500]), value('c', [], 9)],
  });
  const program = await imported(file);
  assert.ok(names(operatorOf(program, 'If').captures).includes('outer/w'));
  assert.is(weightNamed(program, 'outer/w').source.kind, 'file');
  for (const c of [1, 0]) {
    await sameResults(file, program, { c: new OrtTensor('bool', [c === 1], []) });
  }
});

test('functions keep their overloads and attribute defaults', async () => {
  const functionOf = (overload: string, inner: Uint8Array) =>
    field(
      25,
      Buffer.concat([
        onnx.FunctionProto.encode({
          name: 'Act',
          domain: 'our.own',
          input: ['a'],
          output: ['b'],
          opsetImport: [{ domain: '', version: 17 }],
        }).finish(),
        field(7, inner),
        field(13, overload),
      ]),
    );
  const leaky = onnx.NodeProto.encode({
    opType: 'LeakyRelu',
    input: ['a'],
    output: ['b'],
    attribute: [{ name: 'alpha', refAttrName: 'slope', type: 1 }],
  }).finish();
  const defaults = onnx.AttributeProto.encode({ name: 'slope', f: 0.5, type: 1 }).finish();
  const call = (overload: string, input: string, output: string) =>
    Buffer.concat([
      onnx.NodeProto.encode(node('Act', [input], [output], {}, { domain: 'our.own' })).finish(),
      field(8, overload),
    ]);
  const bytes = Buffer.concat([
    modelBytes({ ir: 10, opsets: { '': 17, 'our.own': 1 }, nodes: [node('Neg', ['x'], ['n'])], outputs: [value('y')] }),
    functionOf('exp', onnx.NodeProto.encode(node('Exp', ['a'], ['b'])).finish()),
    functionOf('leaky', leaky).subarray(0, 0),
    field(7, Buffer.concat([field(1, call('exp', 'n', 'e')), field(1, call('leaky', 'e', 'y'))])),
    field(
      25,
      Buffer.concat([
        onnx.FunctionProto.encode({
          name: 'Act',
          domain: 'our.own',
          input: ['a'],
          output: ['b'],
          opsetImport: [{ domain: '', version: 17 }],
        }).finish(),
        field(7, leaky),
        field(11, defaults),
        field(13, 'leaky'),
      ]),
    ),
  ]);
  const file = work.write('functions.onnx', bytes);
  const program = await imported(file);
  assert.equal(
    computes(program).map(({ type }) => type),
    ['Neg', 'Exp', 'LeakyRelu'],
  );
  assert.equal(operatorOf(program, 'LeakyRelu').attributes.alpha, { kind: 'float', value: 0.5 });
  assert.equal(Object.keys(program.opsets), ['']);
  await sameResults(file, program);
});

test('fields newer than the schema do no harm', async () => {
  const relu = onnx.NodeProto.encode(node('Relu', ['x'], ['y'])).finish();
  const annotated = Buffer.concat([
    relu,
    field(9, field(1, 'key')),
    field(10, Buffer.concat([field(1, 'two devices')])),
  ]);
  const graph = Buffer.concat([
    field(1, annotated),
    field(11, onnx.ValueInfoProto.encode(value('x', [2])).finish()),
    field(12, onnx.ValueInfoProto.encode(value('y')).finish()),
    field(16, field(1, 'metadata')),
  ]);
  const head = onnx.ModelProto.encode({ irVersion: 11, opsetImport: [{ domain: '', version: 24 }] }).finish();
  const file = work.write('future.onnx', Buffer.concat([head, field(7, graph), field(26, field(1, 'two devices'))]));
  const program = await imported(file);
  assert.is(program.irVersion, 11);
  assert.is(program.operators.length, 1);
});

test('sizes that the data decides are null; sequences and unknown ranks have no region', async () => {
  const file = work.model({
    nodes: [
      node('NonZero', ['x'], ['n']),
      node('SequenceConstruct', ['x', 'x'], ['q']),
      node('SequenceLength', ['q'], ['l']),
      node('Reshape', ['x', 'target'], ['free']),
    ],
    inputs: [value('x', [1, 4]), value('target', ['rank'], 7)],
    outputs: [value('n', undefined, 7), value('l', undefined, 7), value('free')],
  });
  const program = await imported(file, { dims: { rank: 2 } });
  assert.equal(program.tensors.get('n')!.shape, [2, null]);
  assert.is(program.tensors.get('q')!.dtype, null);
  assert.equal(program.tensors.get('q')!.shape, [null]);
  assert.equal(program.tensors.get('l')!.shape, []);
  assert.equal(program.tensors.get('free')!.shape, [null, null]);
  const [sequence] = operatorOf(program, 'SequenceConstruct').outputs;
  assert.is(sequence?.region, null);
});

test('values of dtypes that JavaScript has no name for, even as output', async () => {
  const program = await imported(
    work.model({
      nodes: [
        node('Cast', ['x'], ['half'], { to: { kind: 'int', value: 16 } }),
        node('Cast', ['half'], ['y'], { to: { kind: 'int', value: 1 } }),
      ],
      outputs: [value('y'), value('half', undefined, 16)],
    }),
  );
  assert.is(program.tensors.get('half')!.dtype, null);
  assert.is(program.tensors.get('y')!.dtype, 'float32');
  assert.is(program.operators.length, 2);
});

test('string weights, sparse initializers', async () => {
  const program = await imported(
    work.model({
      opsets: { '': 20 },
      nodes: [node('StringConcat', ['s', 't'], ['y'])],
      inputs: [value('s', [2], 8)],
      outputs: [value('y', undefined, 8)],
      initializers: [strings('t', ['ä', 'b'])],
    }),
  );
  assert.equal(weightNamed(program, 't').source, { kind: 'strings', values: ['ä', 'b'] });
  const sparse = { values: floats('w', [2], [5, 7]), indices: int64s('', [1, 3]), dims: [4] };
  const file = work.model({
    nodes: [node('Add', ['x', 'w'], ['y'])],
    graph: { sparseInitializer: [sparse] as never },
  });
  await sameResults(file, await imported(file));
});

test("only domains in use are named, and always ONNX's own", async () => {
  const file = work.model({
    opsets: { 'ai.onnx': 17, 'com.microsoft': 1, 'ai.onnx.ml': 3 },
    nodes: [node('Gelu', ['x'], ['y'], {}, { domain: 'com.microsoft' })],
  });
  assert.equal((await imported(file)).opsets, { '': 17, 'com.microsoft': 1 });
});

test("a model without any of ONNX's own operators", async () => {
  const gelu = node('Gelu', ['x'], ['y'], {}, { domain: 'com.microsoft' });
  const program = await imported(work.model({ opsets: { 'com.microsoft': 1 }, nodes: [gelu] }));
  assert.equal(program.opsets, { '': 17, 'com.microsoft': 1 });
});

test('attributes are decoded; the greatest int64 is as good as it was', async () => {
  const file = work.model({
    opsets: { '': 9 },
    nodes: [
      node('Slice', ['x'], ['y'], {
        axes: { kind: 'ints', value: [1] },
        starts: { kind: 'ints', value: [1] },
        ends: { kind: 'ints', value: [2 ** 63] },
      }),
    ],
  });
  const program = await imported(file);
  assert.equal(program.tensors.get('y')!.shape, [1, 3]);
  await sameResults(file, program);
});

test("a tensor written as int32_data, too big for the skeleton's liking", async () => {
  const file = work.model({
    nodes: [node('Cast', ['i'], ['f'], { to: { kind: 'int', value: 1 } }), node('Add', ['x', 'f'], ['y'])],
    inputs: [value('x', [3000])],
    initializers: [
      createTensor({ name: 'i', dims: [3000], dataType: 6, int32Data: Array.from({ length: 3000 }, (_, i) => -i) }),
    ],
  });
  const program = await imported(file);
  assert.is((await bytesOf(weightNamed(program, 'i'))).length, 12_000);
  await sameResults(file, program);
});

test('thousands of nodes', async () => {
  const nodes = Array.from({ length: 4000 }, (_, i) =>
    node(i % 2 ? 'Relu' : 'Neg', [i ? `v${i}` : 'x'], [i < 3999 ? `v${i + 1}` : 'y']),
  );
  const program = await imported(work.model({ nodes }));
  assert.is(program.operators.length, 4000);
  assert.ok([...program.tensors.values()].every(({ shape }) => String(shape) === '1,4'));
});

test.run();
