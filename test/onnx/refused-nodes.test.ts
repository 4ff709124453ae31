/** Nodes, types and shapes that cannot be: which error, naming what. */
import { test } from 'uvu';
import { createAttribute, onnx } from '../../compiler/onnx/proto.ts';
import { floats, int64s, node, ramp, value, workFolder } from './make.ts';
import { refusals } from './refusals.ts';

const work = workFolder();
test.after(work.remove);
const refused = refusals(work);

const { AttributeType } = onnx.AttributeProto;
const int = (number: number) => ({ kind: 'int', value: number }) as const;
const ints = (...list: number[]) => ({ kind: 'ints', value: list }) as const;
const square = [value('x', [1, 1, 4, 4])];

/** A node whose attributes are as given, right or wrong. */
function nodeWith(...attributes: Parameters<typeof createAttribute>[0][]) {
  const made = node('LeakyRelu', ['x'], ['y'], {}, { name: 'leaky' });
  made.attribute = attributes.map((one) => createAttribute(one));
  return { nodes: [made] };
}

refused(
  'shapes that do not fit',
  { nodes: [node('MatMul', ['x', 'x'], ['y'], {}, { name: 'product' })] },
  'shape-inference',
  /the shape of "y" cannot be inferred: Incompatible dimensions[^\n]*\n {2}at .*node "product"/,
);
refused(
  'a window larger than the picture',
  {
    nodes: [node('Conv', ['x', 'w'], ['h'], {}, { name: 'conv' }), node('Relu', ['h'], ['y'])],
    inputs: square,
    initializers: [ramp('w', [1, 1, 9, 9])],
  },
  'shape-inference',
  /the shape of "h" cannot be inferred: dimension 2 would be -4\n {2}at .*node "conv"/,
);
refused(
  'a view with more elements than there are',
  {
    nodes: [node('Reshape', ['x', 's'], ['y'], {}, { name: 'rows' })],
    initializers: [int64s('s', [3, 5])],
  },
  'value-shape',
  /"y" cannot have the shape \[3,5\]: it has 15 elements, and "x", of which it is a view, 4\n {2}at .*node "rows"/,
);
refused(
  'an input larger than any memory',
  { inputs: [value('x', [2 ** 31, 2 ** 31])] },
  'value-shape',
  /"x" cannot have the shape \[2147483648,2147483648\]: no memory holds it\n {2}at .*input "x"/,
);
refused(
  'an attribute that is missing',
  { nodes: [node('Cast', ['x'], ['y'])] },
  'attribute-invalid',
  /Required attribute 'to' is missing[^\n]*\n {2}at .*node "y"/,
);
refused(
  'an attribute the operator does not have',
  nodeWith({ name: 'beta', type: AttributeType.FLOAT, f: 1 }),
  'attribute-invalid',
  /Unrecognized attribute: beta[^\n]*\n {2}at .*node "leaky"/,
);
refused(
  'an attribute of another type than it says',
  nodeWith({ name: 'alpha', type: AttributeType.INT, f: 1 }),
  'attribute-invalid',
  /alpha[^\n]*\n {2}at .*node "leaky"/,
);
refused(
  'an attribute of another type than the operator takes',
  nodeWith({ name: 'alpha', type: AttributeType.STRING, s: Buffer.from('much') }),
  'attribute-invalid',
  /alpha[^\n]*\n {2}at .*node "leaky"/,
);
refused(
  'an attribute without a type',
  nodeWith({ name: 'alpha', f: 1 }),
  'attribute-invalid',
  /type[^\n]*\n {2}at .*node "leaky"/,
);
refused(
  'an attribute that comes twice',
  nodeWith({ name: 'alpha', type: AttributeType.FLOAT, f: 1 }, { name: 'alpha', type: AttributeType.FLOAT, f: 2 }),
  'attribute-invalid',
  /alpha[^\n]*\n {2}at .*node "leaky"/,
);
refused(
  'an attribute of the wrong length',
  {
    nodes: [node('Conv', ['x', 'w'], ['y'], { strides: ints(1, 1, 1) }, { name: 'conv' })],
    inputs: square,
    initializers: [ramp('w', [1, 1, 2, 2])],
  },
  'attribute-invalid',
  /strides has incorrect size\n {2}at .*node "conv"/,
);
refused(
  'an axis that is none',
  { nodes: [node('Softmax', ['x'], ['y'], { axis: int(2 ** 62) })] },
  'attribute-range',
  /"axis" cannot be 4611686018427388000\n {2}at .*node "y"/,
);
refused(
  'an attribute that only the kernel minds: the node is found',
  {
    nodes: [
      node('Relu', ['x'], ['a']),
      node('MaxPool', ['a'], ['b'], { kernel_shape: ints(2, 2), pads: ints(3, 3, 3, 3) }, { name: 'pool' }),
      node('Relu', ['b'], ['c']),
      node('Exp', ['c'], ['y']),
    ],
    inputs: square,
  },
  'model-refused',
  /Pad should be smaller than kernel[^\n]*\n {2}at .*node "pool"/,
);
refused(
  'too few inputs',
  { nodes: [node('MatMul', ['x'], ['y'], {}, { name: 'product' })] },
  'node-invalid',
  /has input size 1 not in range[^\n]*\n {2}at .*node "product"/,
);
refused(
  'an input left out that must be there',
  { nodes: [node('MatMul', ['x', ''], ['y'], {}, { name: 'product' })] },
  'node-invalid',
  /marked single but has an empty string[^\n]*\n {2}at .*node "product"/,
);
refused(
  'two types for one',
  { nodes: [node('Add', ['x', 'n'], ['y'], {}, { name: 'sum' })], initializers: [int64s('n', [1])] },
  'type-mismatch',
  /\(tensor\(float\) and tensor\(int64\)[^\n]*\n {2}at .*node "sum"/,
);
refused(
  'a type the operator does not take',
  { nodes: [node('Not', ['x'], ['y'], {}, { name: 'not' })] },
  'type-mismatch',
  /tensor\(float\)[^\n]*\n {2}at .*node "not"/,
);
refused(
  'an output declared of another type than it is',
  { outputs: [value('y', [1, 4], 7)] },
  'type-mismatch',
  /output arg \(y\)[^\n]*\n {2}at .*node "relu"/,
);
refused(
  'an input of a type that there is not',
  { inputs: [value('x', [1, 4], 77)] },
  'value-type',
  /no data type 77\n {2}at .*input "x"/,
);
refused(
  'an input without a type',
  { graph: { input: [{ name: 'x' }] as never } },
  'value-type',
  /it has no type\n {2}at .*input "x"/,
);
refused(
  'an operator without a name',
  { nodes: [node('', ['x'], ['y'], {}, { name: 'nothing' })], initializers: [floats('w', [1], [1])] },
  'node-invalid',
  /op_type[^\n]*\n {2}at .*node "nothing"/,
);

test.run();
