/** Free dimensions: given by name or place, a batch by default, an error otherwise. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importModel } from '../../compiler/onnx/import.ts';
import { errorOf, imported, node, value, workFolder } from './make.ts';

const work = workFolder();
test.after(work.remove);

/** x with free dimensions, a second input that shares one. */
const image = () =>
  work.model({
    nodes: [node('Add', ['x', 'bias'], ['y'])],
    inputs: [value('x', ['batch', 3, 'height', '']), value('bias', ['height', 1])],
  });

test('sizes are given by dim_param or by input and axis; the batch is 1 with a notice', async () => {
  const notices: string[] = [];
  const program = await imported(image(), {
    dims: { height: 32, 'x:3': 24 },
    notice: (message) => notices.push(message),
  });
  assert.equal(program.tensors.get('x')!.shape, [1, 3, 32, 24]);
  assert.equal(program.tensors.get('bias')!.shape, [32, 1]);
  assert.equal(program.tensors.get('y')!.shape, [1, 3, 32, 24]);
  assert.is(notices.length, 1);
  assert.match(notices[0]!, /dimension 0 of input "x" \(batch\) is taken to be 1; --dim batch=SIZE/);
});

test('a given batch is taken without a notice', async () => {
  const notices: string[] = [];
  const program = await imported(image(), {
    dims: { batch: 4, height: 8, 'x:3': 8 },
    notice: (message) => notices.push(message),
  });
  assert.equal(program.tensors.get('y')!.shape, [4, 3, 8, 8]);
  assert.equal(notices, []);
});

test('a dimension that stays unbound is named, with the flag that binds it', async () => {
  const named = await errorOf(() => importModel(image(), { dims: { 'x:3': 24 } }));
  assert.is(named.code, 'unbound-dimension');
  assert.match(named.format(), /dimension 2 of input "x" \(height\).*--dim height=SIZE/s);
  const nameless = await errorOf(() => importModel(image(), { dims: { height: 32 } }));
  assert.match(nameless.format(), /dimension 3 of input "x" has no fixed size.*--dim x:3=SIZE/s);
});

const firstAxis = async (shape: (number | string)[]) => {
  const file = work.model({ inputs: [value('x', shape)] });
  const program = await importModel(file).catch(() => undefined);
  return program?.tensors.get('x')?.shape[0];
};

test('a first axis is a batch unless its name or its use says otherwise', async () => {
  assert.is(await firstAxis(['N', 4]), 1);
  assert.is(await firstAxis(['unk__314', 4]), 1);
  assert.is(await firstAxis(['', 4]), 1);
  assert.is(await firstAxis(['batch_size']), 1);
  assert.is(await firstAxis(['n_tokens', 4]), undefined);
  assert.is(await firstAxis(['sequence_length', 4]), undefined);
  assert.is(await firstAxis(['D']), undefined);
  assert.is(await firstAxis(['D', 'D']), undefined);
});

test("a batch that is another input's second axis is 1 there too", async () => {
  const file = work.model({
    nodes: [node('Add', ['x', 'h'], ['y'])],
    inputs: [value('x', ['batch', 4]), value('h', [2, 'batch', 4])],
  });
  assert.equal((await imported(file)).tensors.get('h')!.shape, [2, 1, 4]);
});

test('-1 is a free dimension, 0 an empty one', async () => {
  assert.is(
    (await errorOf(() => importModel(work.model({ inputs: [value('x', [1, -1])] })))).code,
    'unbound-dimension',
  );
  const program = await imported(work.model({ inputs: [value('x', [0, 4])] }));
  assert.equal(program.tensors.get('y')!.shape, [0, 4]);
});

test('a name that no free dimension has, and a size that is none', async () => {
  const unknown = await errorOf(() => importModel(image(), { dims: { heigth: 3 } }));
  assert.is(unknown.code, 'unknown-dimension');
  assert.match(unknown.format(), /"heigth".*batch, x:0, height, x:2, x:3, bias:0/s);
  const fixed = await errorOf(() => importModel(image(), { dims: { 'x:1': 3 } }));
  assert.is(fixed.code, 'unknown-dimension');
  const none = await errorOf(() => importModel(work.model(), { dims: { batch: 3 } }));
  assert.match(none.format(), /every dimension of the inputs is fixed/);
  for (const size of [-1, 1.5, Number.NaN, 2 ** 60]) {
    assert.is((await errorOf(() => importModel(image(), { dims: { height: size } }))).code, 'dimension-size');
  }
});

test('shapes the model claims for inner values and outputs do not matter', async () => {
  const file = work.model({
    nodes: [node('Relu', ['x'], ['h']), node('Relu', ['h'], ['y'])],
    inputs: [value('x', ['batch', 4])],
    outputs: [value('y', [7, 7, 7])],
    graph: { valueInfo: [value('h', ['batch', 'other'])] as never },
  });
  const program = await imported(file, { dims: { batch: 2 } });
  assert.equal(program.tensors.get('h')!.shape, [2, 4]);
  assert.equal(program.tensors.get('y')!.shape, [2, 4]);
});

test.run();
