/** Models that cannot be imported: which error, naming what. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { plainMessage } from '../../compiler/onnx/explain.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { createTensor, onnx } from '../../compiler/onnx/proto.ts';
import { errorOf, floats, graphAttribute, int64s, node, ramp, tensorAttribute, value, workFolder } from './make.ts';
import { refusals } from './refusals.ts';

const work = workFolder();
test.after(work.remove);

const refused = refusals(work);
const relu = (name: string, input: string, output: string) => node('Relu', [input], [output], {}, { name });

refused('an IR version that is too new', { ir: 99 }, 'ir-version', /IR version 99; onnxruntime loads 1 to \d+/);
refused('an opset that is too new', { opsets: { '': 99 } }, 'opset', /ai\.onnx 99; onnxruntime loads up to \d+/);
refused("another domain's opset that is too new", { opsets: { '': 17, 'ai.onnx.ml': 99 } }, 'opset', /ai\.onnx\.ml 99/);
refused('no operator set', { opsets: {} }, 'opset', /names no operator set/);
refused('no output', { outputs: [] }, 'model-no-output', /no output/);
refused(
  'an operator nobody knows',
  { nodes: [node('Frobnicate', ['x'], ['y'], {}, { name: 'frob' })] },
  'unknown-operator',
  /no operator Frobnicate in ai\.onnx 17\n {2}at .*node "frob"/,
);
refused(
  'an operator of a domain the model does not import',
  { nodes: [node('Frobnicate', ['x'], ['y'], {}, { domain: 'our.own' })] },
  'unknown-operator',
  /Frobnicate in our\.own \(a domain the model does not import\)\n {2}at .*node "y"/,
);
refused(
  'an operator of a domain that onnxruntime does not have',
  { nodes: [node('Frobnicate', ['x'], ['y'], {}, { domain: 'our.own' })], opsets: { '': 17, 'our.own': 3 } },
  'unknown-operator',
  /Frobnicate in our\.own 3\n {2}at .*node "y"/,
);
refused(
  'an operator without implementation',
  { opsets: { '': 1 } },
  'operator-no-kernel',
  /Relu 1 [^\n]*\n {2}at .*node "relu"/,
);
refused(
  'an input that nothing makes',
  { nodes: [relu('a', 'nowhere', 'y')] },
  'undefined-value',
  /"nowhere"[^\n]*\n {2}at .*node "a"/,
);
refused(
  'an output that nothing makes',
  { outputs: [{ name: 'z' }] },
  'undefined-value',
  /"z"[^\n]*\n {2}at .*output "z"/,
);
const branches = (then: Parameters<typeof graphAttribute>[0]) => ({
  nodes: [
    node(
      'If',
      ['c'],
      ['y'],
      {
        then_branch: graphAttribute(then),
        else_branch: graphAttribute({ name: 'e', node: [relu('r', 'x', 'o')], output: [{ name: 'o' }] }),
      },
      { name: 'choice' },
    ),
  ],
  inputs: [value('x', [1]), value('c', [], 9)],
});
refused(
  'a graph within that uses what nothing makes',
  branches({ name: 't', node: [relu('r', 'ghost', 'o')], output: [{ name: 'o' }] }),
  'undefined-value',
  /"ghost"[^\n]*\n {2}at .*node "choice"/,
);
refused(
  'a graph within that makes a value twice',
  branches({ name: 't', node: [relu('r', 'x', 'o'), relu('s', 'x', 'o')], output: [{ name: 'o' }] }),
  'duplicate-value',
  /"o" is made twice: by node "choice": node "r" and by node "choice": node "s"/,
);
refused(
  'a graph within that goes round',
  branches({ name: 't', node: [relu('r', 's', 'o'), relu('s', 'o', 's')], output: [{ name: 'o' }] }),
  'cycle',
  /"r" → "s"\n {2}at .*node "choice": node "r"/,
);
refused(
  'a tensor with too few bytes in a graph within',
  branches({
    name: 't',
    initializer: [createTensor({ name: 'o', dims: [3], dataType: 1, rawData: new Uint8Array(8) })],
    output: [{ name: 'o' }],
  }),
  'tensor-size',
  /shape \[3\] asks for 12 bytes, there are 8\n {2}at .*tensor "o"/,
);
refused(
  'a Constant with too few bytes',
  {
    nodes: [
      node('Constant', [], ['k'], {
        value: tensorAttribute(createTensor({ dims: [3], dataType: 1, rawData: new Uint8Array(8) })),
      }),
      node('Add', ['x', 'k'], ['y']),
    ],
  },
  'tensor-size',
  /12 bytes, there are 8\n {2}at .*tensor "k"/,
);
refused(
  'two nodes that make the same value',
  { nodes: [relu('a', 'x', 'y'), relu('b', 'x', 'y')] },
  'duplicate-value',
  /"y" is made twice: by node "a" and by node "b"/,
);
refused(
  'a node that makes an initializer',
  { nodes: [relu('a', 'x', 'y')], initializers: [floats('y', [1], [1])] },
  'duplicate-value',
  /by initializer "y" and by node "a"/,
);
refused(
  'a cycle',
  {
    nodes: [
      node('Add', ['x', 'c'], ['a'], {}, { name: 'first' }),
      relu('second', 'a', 'b'),
      relu('third', 'b', 'c'),
      relu('y', 'b', 'y'),
    ],
  },
  'cycle',
  /"first" → "second" → "third"/,
);
refused(
  'a tensor with too few bytes',
  { initializers: [createTensor({ name: 'w', dims: [3], dataType: 1, rawData: new Uint8Array(8) })] },
  'tensor-size',
  /shape \[3\] asks for 12 bytes, there are 8\n {2}at .*tensor "w"/,
);
refused(
  'a big tensor with too many bytes',
  { initializers: [createTensor({ name: 'w', dims: [1000], dataType: 1, rawData: new Uint8Array(5000) })] },
  'tensor-size',
  /shape \[1000\] asks for 4000 bytes, there are 5000/,
);
refused(
  'a tensor with too few strings',
  { initializers: [createTensor({ name: 'w', dims: [3], dataType: 8, stringData: [Buffer.from('a')] })] },
  'tensor-size',
  /3 strings, there are 1/,
);
refused(
  'a tensor of negative size',
  { initializers: [createTensor({ name: 'w', dims: [-3], dataType: 1 })] },
  'tensor-size',
  /shape \[-3\]/,
);
refused(
  'a tensor of no known data type',
  { initializers: [createTensor({ name: 'w', dims: [1], dataType: 77, rawData: new Uint8Array(8) })] },
  'tensor-size',
  /no data type 77/,
);
refused(
  'a constant shape too big for any machine',
  {
    nodes: [node('ConstantOfShape', ['s'], ['c']), node('Add', ['x', 'c'], ['y'])],
    initializers: [int64s('s', [2 ** 40, 2 ** 40])],
  },
  'tensor-size',
  /no tensor has the shape/,
);

test('a model without a graph, and a message of another kind', async () => {
  const bare = onnx.ModelProto.encode({ irVersion: 8, opsetImport: [{ domain: '', version: 17 }] }).finish();
  assert.is((await errorOf(() => importModel(work.write('bare.onnx', bare)))).code, 'model-no-graph');
  const tensor = onnx.TensorProto.encode(ramp('weights', [100])).finish();
  const error = await errorOf(() => importModel(work.write('input_0.pb', tensor)));
  assert.ok(['model-not-onnx', 'model-damaged', 'model-truncated'].includes(error.code), error.code);
});

test('what onnxruntime says is kept, where in its sources it says so is not', () => {
  assert.is(
    plainMessage(
      '/onnxruntime_src/core/graph/graph.cc:1555 void onnxruntime::Graph::Init(const std::vector<int (*)()>&) const This is an invalid model. Graph output (q) is missing.\n\n',
    ),
    'This is an invalid model. Graph output (q) is missing.',
  );
  assert.is(
    plainMessage('Exception during initialization: /a/b.cc:1 bool f(const A&) x > -1 was false. Sizes (3) differ.'),
    'x > -1 was false. Sizes (3) differ.',
  );
  assert.is(plainMessage('Type Error: (x)\nmore'), 'Type Error: (x) more');
});

test('no import leaves files behind, whether it works or fails', async () => {
  const before = process.env.TMPDIR;
  const folder = mkdtempSync(path.join(tmpdir(), 'shardonnx-empty-'));
  process.env.TMPDIR = folder;
  try {
    await importModel(work.model());
    await errorOf(() => importModel(work.model({ opsets: { '': 99 } })));
    assert.equal(readdirSync(folder), []);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
    rmSync(folder, { recursive: true });
  }
});

test.run();
