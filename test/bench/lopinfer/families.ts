/** What a log does not say, from the zoo: kernels, strides, padding, groups of a family's models, in execution order. */
import type { Attributes } from '../../../compiler/ir/program.ts';
import { attributesOf } from '../../../compiler/onnx/decode.ts';
import { decodeNode, onnx } from '../../../compiler/onnx/proto.ts';
import type { Model } from '../../../fixtures/zoo/builder.ts';
import { type Size as ConvnextSize, convnext } from '../../../fixtures/zoo/convnext.ts';
import { type Depth as DensenetDepth, densenet } from '../../../fixtures/zoo/densenet.ts';
import { type Depth as ResnetDepth, resnet } from '../../../fixtures/zoo/resnet.ts';
import { type Depth as VggDepth, vgg } from '../../../fixtures/zoo/vgg.ts';

const vggs: readonly VggDepth[] = [11, 13, 16, 19];
const resnets: readonly ResnetDepth[] = [18, 34, 50, 101, 152];
const densenets: readonly DensenetDepth[] = [121, 161, 169, 201];
const convnexts: readonly ConvnextSize[] = ['tiny', 'small', 'base', 'large'];

/** torchvision's models of the families that logs are of. */
export const families: readonly (() => Model)[] = [
  ...vggs.flatMap((depth) => [() => vgg(depth, false, 1), () => vgg(depth, true, 1)]),
  ...resnets.map((depth) => () => resnet(depth, 1)),
  ...densenets.map((depth) => () => densenet(depth, 1)),
  ...convnexts.map((size) => () => convnext(size, 1)),
];

export interface Layer {
  readonly attributes: Attributes;
  /** Shapes. */
  readonly weights: readonly (readonly number[])[];
}

/** An operator of a model or of a log: where it reads (-1: the input), and whether it is a convolution or a linear layer. */
export interface Vertex {
  readonly operands: readonly number[];
  readonly weighted: boolean;
}

export interface Geometry {
  readonly name: string;
  /** By ONNX type, in execution order. */
  readonly layers: ReadonlyMap<string, readonly Layer[]>;
  readonly vertices: readonly Vertex[];
}

const WEIGHTED = new Set(['Conv', 'Gemm', 'MatMul']);

export function geometryOf({ name, nodes, weights, inputs }: Model): Geometry {
  const shapes = new Map(weights.map((weight) => [weight.name, weight.shape]));
  const makers = new Map(inputs.map((input) => [input.name, -1]));
  const layers = new Map<string, Layer[]>();
  const vertices: Vertex[] = [];
  for (const [i, node] of nodes.entries()) {
    const { opType, input, output, ...decoded } = decodeNode(onnx.NodeProto.encode(node).finish());
    const layer = {
      attributes: attributesOf({ opType, input, output, ...decoded }),
      weights: input.flatMap((tensor) => (shapes.has(tensor) ? [shapes.get(tensor)!] : [])),
    };
    layers.set(opType, [...(layers.get(opType) ?? []), layer]);
    const operands = input.flatMap((tensor) => (makers.has(tensor) ? [makers.get(tensor)!] : []));
    vertices.push({ operands, weighted: WEIGHTED.has(opType) });
    for (const tensor of output) makers.set(tensor, i);
  }
  return { name, layers, vertices };
}

/**
 * Which convolutions and linear layers feed each of them, directly or through other operators: by their number in execution
 * order, -1 for the model's input. Equal for two ways of writing one network.
 */
export function skeleton(vertices: readonly Vertex[]): string[] {
  const nearest: ReadonlySet<number>[] = [];
  const lines: string[] = [];
  for (const { operands, weighted } of vertices) {
    const before = new Set(operands.flatMap((at) => (at < 0 ? [-1] : [...nearest[at]!])));
    if (!weighted) nearest.push(before);
    else {
      nearest.push(new Set([lines.length]));
      lines.push([...before].sort((a, b) => a - b).join(' '));
    }
  }
  return lines;
}
