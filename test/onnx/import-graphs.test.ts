/** Graphs within graphs, and functions: what they capture, which weights leave them, what is inlined. */
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createAttribute, onnx } from '../../compiler/onnx/proto.ts';
import { field } from '../../compiler/onnx/wire.ts';
import {
  computes,
  graphAttribute,
  imported,
  modelBytes,
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
  assert.equal(valueNames(choice.captures).sort(), ['shared', 'x', 'y/w', 'y/w#2']);
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
  assert.ok(valueNames(operatorOf(program, 'If').captures).includes('outer/w'));
  assert.is(weightNamed(program, 'outer/w').source.kind, 'file');
  for (const c of [1, 0]) {
    await sameResults(file, program, { c: new OrtTensor('bool', [c === 1], []) });
  }
});

/** The field of a function `Act` of one node, of a domain of our own. @param more its later fields */
const functionField = (inner: ReturnType<typeof node>, overload: string, more: readonly Uint8Array[] = []) => {
  const opsetImport = [{ domain: '', version: 17 }];
  const head = { name: 'Act', domain: 'our.own', input: ['a'], output: ['b'], opsetImport, node: [inner] };
  return field(25, Buffer.concat([onnx.FunctionProto.encode(head).finish(), ...more, field(13, overload)]));
};

test('functions keep their overloads and attribute defaults', async () => {
  const leaky = node('LeakyRelu', ['a'], ['b']);
  leaky.attribute = [createAttribute({ name: 'alpha', refAttrName: 'slope', type: 1 })];
  const defaults = onnx.AttributeProto.encode({ name: 'slope', f: 0.5, type: 1 }).finish();
  const call = (overload: string, input: string, output: string) =>
    Buffer.concat([
      onnx.NodeProto.encode(node('Act', [input], [output], {}, { domain: 'our.own' })).finish(),
      field(8, overload),
    ]);
  const bytes = Buffer.concat([
    modelBytes({ ir: 10, opsets: { '': 17, 'our.own': 1 }, nodes: [node('Neg', ['x'], ['n'])], outputs: [value('y')] }),
    field(7, Buffer.concat([field(1, call('exp', 'n', 'e')), field(1, call('leaky', 'e', 'y'))])),
    functionField(node('Exp', ['a'], ['b']), 'exp'),
    functionField(leaky, 'leaky', [field(11, defaults)]),
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

test.run();
