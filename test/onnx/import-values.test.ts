/** Values that are no plain tensor of a known shape; newer fields, domains, numbers at their limits, many nodes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTensor, onnx } from '../../compiler/onnx/proto.ts';
import { field } from '../../compiler/onnx/wire.ts';
import { floats, imported, int64s, node, operatorOf, strings, value, weightNamed, workFolder } from './make.ts';
import { bytesOf } from './rebuild.ts';
import { sameResults } from './same-results.ts';

const work = workFolder();
test.after(work.remove);

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
