/** The zoo's networks as accelerators run them: batch norm folded into the convolution before it. */
import { join } from 'node:path';
import { type Compute, isKnown, type Program, reads, tensorOf } from '../../../compiler/ir/program.ts';
import { importModel } from '../../../compiler/onnx/import.ts';
import { elements, type Model, weightBytes } from '../../../fixtures/zoo/builder.ts';
import { writeModel } from '../../../fixtures/zoo/write.ts';
import { temporaryFolder } from '../measure.ts';

export interface NetworkLayer {
  readonly name: string;
  /** ONNX's. */
  readonly type: string;
  /** Indices of the layers it reads; -1: the network's input. */
  readonly inputs: readonly number[];
  /** Elements of what it makes. */
  readonly elements: number;
  /** Elements of its weights without biases: all of them, and where every group's are counted as if it read every channel. */
  readonly weights: number;
  readonly denseWeights: number;
}

export interface Network {
  readonly name: string;
  readonly inputElements: number;
  /** In execution order. */
  readonly layers: readonly NetworkLayer[];
}

/** Larger weights are inputs of what is written: only their shapes matter here, and VGG-16 has 550 MB of them. */
const SMALL_BYTES = 1024;

async function importShapes(model: Model): Promise<Program<'imported'>> {
  const file = join(temporaryFolder(), 'model.onnx');
  const isSmall = (weight: Model['weights'][number]) => weightBytes(weight) < SMALL_BYTES;
  const large = model.weights.filter((weight) => !isSmall(weight));
  writeModel({ ...model, weights: model.weights.filter(isSmall), inputs: [...model.inputs, ...large] }, file);
  return importModel(file);
}

export async function networkOf(model: Model): Promise<Network> {
  const program = await importShapes(model);
  const weights = new Map(model.weights.map(({ name, shape }) => [name, shape]));
  const input = model.inputs[0]!.name;
  const makers = new Map([[input, -1]]);
  const layers: NetworkLayer[] = [];
  for (const operator of program.operators) {
    if (operator.kind !== 'compute') throw new Error(`${model.name}: ${operator.kind} in an imported program`);
    const inputs = reads(operator).flatMap(({ tensor }) => (makers.has(tensor) ? [makers.get(tensor)!] : []));
    const folded = operator.type === 'BatchNormalization';
    if (!folded) layers.push(layerOf(program, operator, inputs, weights));
    for (const output of operator.outputs)
      if (output) makers.set(output.tensor, folded ? inputs[0]! : layers.length - 1);
  }
  return { name: model.name, inputElements: elementsOf(program, input), layers };
}

function layerOf(
  program: Program,
  operator: Compute,
  inputs: readonly number[],
  weights: ReadonlyMap<string, readonly number[]>,
): NetworkLayer {
  // The first weight; after it comes the bias.
  const weight = reads(operator).find(({ tensor }) => weights.has(tensor));
  const own = weight ? elements(weights.get(weight.tensor)!) : 0;
  const { group } = operator.attributes;
  return {
    name: operator.origin,
    type: operator.type,
    inputs,
    elements: elementsOf(program, operator.outputs[0]!.tensor),
    weights: own,
    denseWeights: own * (group?.kind === 'int' ? group.value : 1),
  };
}

function elementsOf(program: Program, name: string): number {
  const { shape } = tensorOf(program, name);
  if (!isKnown(shape)) throw new Error(`the shape of ${name} is not known`);
  return elements(shape);
}

/** The same network with its convolutions in the order of `names`, and every other layer as soon as what it reads is there. */
export function reordered({ layers, ...network }: Network, names: readonly string[]): Network {
  const order: number[] = [];
  const place = (i: number): void => {
    if (order.includes(i)) return;
    for (const input of layers[i]!.inputs) if (input >= 0) place(input);
    order.push(i);
  };
  for (const name of names) {
    place(layers.findIndex((layer) => layer.name === name));
    for (const [i, { type, inputs }] of layers.entries()) {
      if (type !== 'Conv' && inputs.every((input) => order.includes(input))) place(i);
    }
  }
  for (const i of layers.keys()) place(i);
  const moved = layers.map((layer) => ({
    ...layer,
    inputs: layer.inputs.map((input) => (input < 0 ? input : order.indexOf(input))),
  }));
  return { ...network, layers: order.map((i) => moved[i]!) };
}
