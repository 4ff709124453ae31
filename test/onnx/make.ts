/** Small models built in code, and a folder to put them in. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CompileError } from '../../compiler/error.ts';
import type { Attribute, Compute, Program } from '../../compiler/ir/program.ts';
import { encodeAttribute, tensorProto } from '../../compiler/onnx/encode.ts';
import { type ImportOptions, importModel } from '../../compiler/onnx/import.ts';
import {
  createNode,
  createTensor,
  type GraphProto,
  type NodeProto,
  onnx,
  type TensorProto,
} from '../../compiler/onnx/proto.ts';
import type { Weight } from '../../compiler/onnx/weights.ts';

/** A size, or the name of a free dimension; '' for a free dimension without a name. */
type Dimension = number | string;
const dimensionOf = (dimension: Dimension) =>
  typeof dimension === 'number' ? { dimValue: dimension } : dimension === '' ? {} : { dimParam: dimension };

/** An input or output; without `shape` only the element type is given. */
export const value = (name: string, shape?: readonly Dimension[], elemType = 1) => ({
  name,
  type: { tensorType: { elemType, ...(shape ? { shape: { dim: shape.map(dimensionOf) } } : {}) } },
});

export const node = (
  opType: string,
  input: string[],
  output: string[],
  attributes: Readonly<Record<string, Attribute>> = {},
  more: { name?: string; domain?: string; overload?: string } = {},
): NodeProto =>
  createNode({
    opType,
    input,
    output,
    attribute: Object.entries(attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    ...more,
  });

export const graphAttribute = (graph: Parameters<typeof onnx.GraphProto.create>[0]): Attribute => ({
  kind: 'proto',
  bytes: onnx.AttributeProto.encode({ type: onnx.AttributeProto.AttributeType.GRAPH, g: graph }).finish(),
});

export const tensorAttribute = (tensor: TensorProto): Attribute => ({
  kind: 'proto',
  bytes: onnx.AttributeProto.encode({ type: onnx.AttributeProto.AttributeType.TENSOR, t: tensor }).finish(),
});

export const floats = (name: string, shape: readonly number[], data: ArrayLike<number>): TensorProto =>
  tensorProto(name, 'float32', shape, new Uint8Array(Float32Array.from(data).buffer));

/** Elements 0, 1, 2 … divided by `by`. */
export const ramp = (name: string, shape: readonly number[], by = 1): TensorProto => {
  const count = shape.reduce((product, size) => product * size, 1);
  return floats(
    name,
    shape,
    Float32Array.from({ length: count }, (_, i) => i / by),
  );
};

export const int64s = (name: string, data: readonly number[], shape = [data.length]): TensorProto =>
  tensorProto(name, 'int64', shape, new Uint8Array(BigInt64Array.from(data, BigInt).buffer));

export const strings = (name: string, data: readonly string[]): TensorProto =>
  createTensor({ name, dataType: 8, dims: [data.length], stringData: data.map((text) => Buffer.from(text)) });

export const external = (
  name: string,
  shape: readonly number[],
  entries: Readonly<Record<string, string>>,
  dataType = 1,
): TensorProto =>
  createTensor({
    name,
    dataType,
    dims: [...shape],
    dataLocation: onnx.TensorProto.DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, text]) => ({ key, value: text })),
  });

interface ModelParts {
  readonly nodes?: readonly NodeProto[];
  readonly inputs?: readonly ReturnType<typeof value>[];
  readonly outputs?: readonly (ReturnType<typeof value> | { name: string })[];
  readonly initializers?: readonly TensorProto[];
  readonly graph?: Partial<GraphProto>;
  readonly ir?: number;
  readonly opsets?: Readonly<Record<string, number>>;
}

/** Relu from x: [1,4] to y, where nothing else is said. */
export const modelBytes = (parts: ModelParts = {}): Uint8Array =>
  onnx.ModelProto.encode({
    irVersion: parts.ir ?? 8,
    opsetImport: Object.entries(parts.opsets ?? { '': 17 }).map(([domain, version]) => ({ domain, version })),
    graph: {
      name: 'made',
      node: [...(parts.nodes ?? [node('Relu', ['x'], ['y'], {}, { name: 'relu' })])],
      input: [...(parts.inputs ?? [value('x', [1, 4])])],
      output: [...(parts.outputs ?? [value('y')])],
      initializer: [...(parts.initializers ?? [])],
      ...parts.graph,
    },
  }).finish();

/** A folder of one test file; `remove` belongs into `test.after`. */
export function workFolder() {
  const folder = mkdtempSync(path.join(tmpdir(), 'shardonnx-test-'));
  return {
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
    write(name: string, bytes: Uint8Array | string): string {
      const file = path.join(folder, name);
      writeFileSync(file, bytes);
      return file;
    },
    /** Writes a model and returns its path. */
    model(parts: ModelParts = {}, name = 'model.onnx'): string {
      return this.write(name, modelBytes(parts));
    },
  };
}

/** The error `action` throws; fails if it throws none, or something that is not for users. */
export async function errorOf(action: () => unknown): Promise<CompileError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof CompileError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}

/** `importModel`; errors for users become errors uvu can print (it takes their `details` for a text, and forgets the failure). */
export async function imported(file: string, options?: ImportOptions): Promise<Program<'imported'>> {
  try {
    return await importModel(file, options);
  } catch (error) {
    throw error instanceof CompileError ? new Error(error.format()) : error;
  }
}

export const floatsOf = (bytes: Uint8Array): number[] => [...new Float32Array(new Uint8Array(bytes).buffer)];

export function weightNamed(program: Program, name: string): Weight {
  const tensor = program.tensors.get(name);
  if (tensor?.role !== 'weight') throw new Error(`${name} is ${tensor?.role ?? 'no tensor'}, no weight`);
  return tensor;
}

export const computes = (program: Program): Compute[] =>
  program.operators.filter((operator) => operator.kind === 'compute');

/** The first operator of a type. */
export function operatorOf(program: Program, type: string): Compute {
  const found = computes(program).find((operator) => operator.type === type);
  if (!found) throw new Error(`the program has no ${type}`);
  return found;
}

/** Names of an operator's inputs or outputs; what is omitted stays null. */
export const valueNames = (values: Compute['inputs']) =>
  values.map((found) => (found?.kind === 'value' ? found.tensor : found));
