/** onnxruntime folds constants, removes needless nodes, and infers types and shapes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { EndedError, Guard, type Load, mostMemory, RefusedError } from './guard/guard.ts';
import { decodeModel, type ModelProto, onnx } from './proto.ts';
import { field } from './wire.ts';

const guard = new Guard(mostMemory);

/** New values come from fusions, which do not go on for ever. */
const mostRounds = 4;
/** An unused node that is folded away: onnxruntime writes inferred types only into graphs it has changed. */
const spark = { initializer: 'shardonnx.spark', node: 'shardonnx.spark.identity' } as const;

/**
 * What `model` is at onnxruntime's level `basic`, with value_info for every inner value.
 * @param model a ModelProto whose value_info names every inner value
 * @throws RefusedError, EndedError
 */
export const normalise = (model: Uint8Array): Promise<ModelProto> =>
  guard.inTurn(async (load) => {
    const seconds = patience(model);
    let result = await optimise(load, model, seconds);
    for (let round = 1; round < mostRounds; round++) {
      const unknown = valuesWithoutType(result);
      if (unknown.length === 0) break;
      const bytes = onnx.ModelProto.encode(result).finish();
      const asked = unknown.map((name) => field(13, field(1, name)));
      result = await optimise(load, withGraphFields(bytes, asked), seconds);
    }
    return result;
  });

/** How onnxruntime fails over `model`; undefined if it does not. */
export const trial = (model: Uint8Array, seconds: number): Promise<RefusedError | EndedError | undefined> =>
  guard.inTurn(async (load) => {
    try {
      await optimise(load, model, seconds);
      return undefined;
    } catch (error) {
      if (error instanceof RefusedError || error instanceof EndedError) return error;
      throw error;
    }
  });

/** Seconds that onnxruntime may take for one round; it needs about one for a megabyte, which is 16,000 nodes. */
const patience = (model: Uint8Array): number => 6 + 20e-6 * model.length;

function valuesWithoutType({ graph }: ModelProto): string[] {
  const typed = new Set(graph!.valueInfo.filter(({ type }) => type).map(({ name }) => name));
  for (const { name } of graph!.output) typed.add(name);
  return graph!.node.flatMap(({ output }) => output).filter((name) => name !== '' && !typed.has(name));
}

function withSpark(model: Uint8Array): Uint8Array {
  const initializer = { name: spark.initializer, dataType: 1, dims: [1], floatData: [1] };
  const node = { name: spark.node, opType: 'Identity', input: [spark.initializer], output: [spark.node] };
  return withGraphFields(model, [
    field(5, onnx.TensorProto.encode(initializer).finish()),
    field(1, onnx.NodeProto.encode(node).finish()),
  ]);
}

/** Parts of a message that come later are merged into it. */
const withGraphFields = (model: Uint8Array, fields: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat([model, field(7, Buffer.concat(fields))]);

async function optimise(load: Load, model: Uint8Array, seconds: number): Promise<ModelProto> {
  const folder = await mkdtemp(path.resolve(tmpdir(), 'shardonnx-'));
  try {
    const file = path.join(folder, 'model.onnx');
    await load({ model: withSpark(model), file }, seconds);
    return decodeModel(await readFile(file));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
