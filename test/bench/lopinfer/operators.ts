/** PyTorch's operators as ONNX's: one logged operator is one ONNX operator, with weights of the right shapes. */
import type { Attribute, Attributes } from '../../../compiler/ir/program.ts';
import type { Layer } from './families.ts';

type Shape = readonly number[];

/** What an operator becomes. */
export interface Translated {
  readonly type: string;
  readonly attributes: Attributes;
  /** Shapes of the inputs after those it reads. */
  readonly weights: readonly Shape[];
}

/** What a translation sees: the shapes read and made, and for operators that need one the zoo's layer. */
export interface Seen {
  readonly inputs: readonly Shape[];
  readonly output: Shape;
  readonly layer: Layer | undefined;
}

export interface Translation {
  /** Tensors read: a number, or any. */
  readonly reads: readonly number[] | 'any';
  /** The ONNX type whose layers of the zoo say what the log does not. */
  readonly layer?: 'Conv' | 'MaxPool' | 'AveragePool' | 'Transpose';
  /** The ONNX type of which the zoo's model has as many; set if its way of writing the model is the log's. */
  readonly counted?: string;
  /** The operator, or why these shapes are none of it. */
  readonly translate: (seen: Seen) => Translated | string;
}

const int = (value: number): Attribute => ({ kind: 'int', value });
const ints = (value: Shape): Attribute => ({ kind: 'ints', value });
const product = (shape: Shape) => shape.reduce((a, b) => a * b, 1);
const same = (a: Shape, b: Shape) => a.length === b.length && a.every((size, i) => size === b[i]);

const plain = (type: string, attributes: Attributes = {}, weights: readonly Shape[] = []): Translated => ({
  type,
  attributes,
  weights,
});

/** Output shape equals the first input's; `weights` of it, if any. */
const alike =
  (type: string, weights: (shape: Shape, inputs: number) => readonly Shape[] = () => [], attributes: Attributes = {}) =>
  ({ inputs, output }: Seen): Translated | string =>
    same(inputs[0]!, output)
      ? plain(type, attributes, weights(output, inputs.length))
      : `makes [${output}] of [${inputs[0]}]`;

function ofAttribute(attributes: Attributes, name: string): Shape | undefined {
  const attribute = attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}

/** Height and width after a window (ONNX: Conv, MaxPool, with `ceil_mode` 0). */
function windowed({ attributes }: Layer, [, , ...sizes]: Shape): Shape {
  const of = (name: string, standard: number) =>
    ofAttribute(attributes, name) ?? [standard, standard, standard, standard];
  const [kernel, strides, pads, dilations] = [
    of('kernel_shape', 1),
    of('strides', 1),
    of('pads', 0),
    of('dilations', 1),
  ];
  return sizes.map((size, i) => {
    const free = size + pads[i]! + pads[i + sizes.length]! - dilations[i]! * (kernel[i]! - 1) - 1;
    return Math.floor(free / strides[i]!) + 1;
  });
}

const differs = (made: Shape, logged: Shape) => `would make [${made}], logged is [${logged}]`;

function convolution({ inputs: [x], output, layer }: Seen): Translated | string {
  const [weight] = layer!.weights;
  const group = layer!.attributes.group;
  const channels = weight![1]! * (group?.kind === 'int' ? group.value : 1);
  if (channels !== x![1]) return `reads ${channels} channels, logged are ${x![1]}`;
  const made = [x![0]!, weight![0]!, ...windowed(layer!, x!)];
  return same(made, output) ? plain('Conv', layer!.attributes, layer!.weights) : differs(made, output);
}

const pool =
  (type: string) =>
  ({ inputs: [x], output, layer }: Seen): Translated | string => {
    const made = [...x!.slice(0, 2), ...windowed(layer!, x!)];
    return same(made, output) ? plain(type, layer!.attributes) : differs(made, output);
  };

/** To the same size (VGG on 224×224): windows of one element; to one element: GlobalAveragePool. */
function adaptivePool({ inputs: [x], output }: Seen): Translated | string {
  if (output.slice(2).every((size) => size === 1)) return plain('GlobalAveragePool');
  const window = output.slice(2).map((size, i) => x![i + 2]! / size);
  if (!window.every(Number.isInteger)) return `windows of unequal size make [${output}] of [${x}]`;
  return plain('AveragePool', { kernel_shape: ints(window), strides: ints(window) });
}

function transpose({ inputs: [x], output, layer }: Seen): Translated | string {
  const made = ofAttribute(layer!.attributes, 'perm')!.map((axis) => x![axis]!);
  return same(made, output) ? plain('Transpose', layer!.attributes) : differs(made, output);
}

function concat({ inputs, output }: Seen): Translated | string {
  const axis = Math.max(
    1,
    inputs[0]!.findIndex((size, i) => size !== output[i]),
  );
  const made = output.with(
    axis,
    inputs.reduce((sum, shape) => sum + shape[axis]!, 0),
  );
  return same(made, output) ? plain('Concat', { axis: int(axis) }) : differs(made, output);
}

function linear({ inputs: [x], output }: Seen): Translated | string {
  const [k, n] = [x!.at(-1)!, output.at(-1)!];
  if (!same(x!.slice(0, -1), output.slice(0, -1))) return `makes [${output}] of [${x}]`;
  return x!.length === 2 ? plain('Gemm', { transB: int(1) }, [[n, k], [n]]) : plain('MatMul', {}, [[k, n]]);
}

const flatten = ({ inputs: [x], output }: Seen): Translated | string =>
  output.length === 2 && output[0] === x![0] && product(output) === product(x!)
    ? plain('Flatten', { axis: int(1) })
    : `makes [${output}] of [${x}]`;

const unary = (type: string): Translation => ({ reads: [1], translate: alike(type) });
const relu: Translation = { ...unary('Relu'), counted: 'Relu' };
const add: Translation = { reads: [2], translate: alike('Add') };
/** By another tensor, or by one weight a channel. */
const mul: Translation = {
  reads: [1, 2],
  translate: alike('Mul', ([, channels, ...rest], inputs) => (inputs > 1 ? [] : [[channels!, ...rest.map(() => 1)]])),
};
const flat: Translation = { reads: [1], translate: flatten };

export const translations: Readonly<Record<string, Translation>> = {
  conv2d: { reads: [1], layer: 'Conv', counted: 'Conv', translate: convolution },
  max_pool2d: { reads: [1], layer: 'MaxPool', counted: 'MaxPool', translate: pool('MaxPool') },
  avg_pool2d: { reads: [1], layer: 'AveragePool', counted: 'AveragePool', translate: pool('AveragePool') },
  permute: { reads: [1], layer: 'Transpose', counted: 'Transpose', translate: transpose },
  batch_norm: {
    reads: [1],
    counted: 'BatchNormalization',
    translate: alike('BatchNormalization', ([, channels]) => Array<Shape>(4).fill([channels!])),
  },
  layer_norm: {
    reads: [1],
    counted: 'LayerNormalization',
    translate: alike('LayerNormalization', (shape) => [[shape.at(-1)!], [shape.at(-1)!]], { axis: int(-1) }),
  },
  adaptive_avg_pool2d: { reads: [1], translate: adaptivePool },
  linear: { reads: [1], translate: linear },
  cat: { reads: 'any', translate: concat },
  relu,
  relu_: relu,
  gelu: unary('Gelu'),
  dropout: unary('Identity'),
  add,
  add_: add,
  mul,
  mul_: mul,
  flatten: flat,
  view: flat,
  reshape: flat,
};
