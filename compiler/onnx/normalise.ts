/** onnxruntime folds constants, removes needless nodes, and infers types and shapes. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onnxruntime } from '../../runtime/modules.ts';
import { decodeModel, type ModelProto, onnx } from './proto.ts';
import { field } from './wire.ts';

const { InferenceSession } = onnxruntime();

/** New values come from fusions, which do not go on for ever. */
const mostRounds = 4;
/** An unused node that is folded away: onnxruntime writes inferred types only into graphs it has changed. */
const spark = { initializer: 'shardonnx.spark', node: 'shardonnx.spark.identity' } as const;

/** onnxruntime does not take the model; its own words. */
export class RefusedError extends Error {}

/**
 * What `model` is at onnxruntime's level `basic`, with value_info for every inner value.
 * @param model a ModelProto whose value_info names every inner value
 * @throws RefusedError
 */
export async function normalise(model: Uint8Array): Promise<ModelProto> {
  let result = decodeModel(await optimise(withSpark(model)));
  for (let round = 1; round < mostRounds; round++) {
    const unknown = valuesWithoutType(result);
    if (unknown.length === 0) break;
    const bytes = onnx.ModelProto.encode(result).finish();
    result = decodeModel(
      await optimise(
        withSpark(
          withGraphFields(
            bytes,
            unknown.map((name) => field(13, field(1, name))),
          ),
        ),
      ),
    );
  }
  return result;
}

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

async function optimise(model: Uint8Array): Promise<Uint8Array> {
  const folder = await mkdtemp(path.join(tmpdir(), 'shardonnx-'));
  try {
    const file = path.join(folder, 'model.onnx');
    await load(model, file);
    return await readFile(file);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function load(model: Uint8Array, file: string): Promise<void> {
  try {
    const session = await InferenceSession.create(model, {
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      extra: { session: { disable_prepacking: '1' } },
    });
    await session.release();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    // Inputs or outputs of a dtype that JavaScript has no name for; the model is written by then.
    if (!message.startsWith('Unsupported data type')) throw new RefusedError(message, { cause: error });
  }
}
