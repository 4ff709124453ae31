/** What plain onnxruntime gives for a model: the answer that bundles must give too. */
import type * as Ort from 'onnxruntime-node';
import { type NamedTensors, onnxruntime, type Tensor } from '../runtime/index.ts';
import { CompileError } from './error.ts';

const asTensor = ({ type, dims, data }: Ort.Tensor): Tensor => ({ type, dims, data }) as Tensor;

/**
 * @param optimised false: every operator as the model states it
 * @throws model-refused
 */
export async function reference(
  model: string,
  inputs: NamedTensors,
  optimised = true,
): Promise<Record<string, Tensor>> {
  const { InferenceSession, Tensor: OrtTensor } = onnxruntime();
  const refused = (cause: unknown): never => {
    throw new CompileError('model-refused', `onnxruntime: ${cause instanceof Error ? cause.message.trim() : cause}`, {
      at: [`model ${model}`],
      hint: 'give the model the bundle was compiled from',
      cause,
    });
  };
  const graphOptimizationLevel = optimised ? 'all' : 'disabled';
  const session = await InferenceSession.create(model, { logSeverityLevel: 4, graphOptimizationLevel }).catch(refused);
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { type, data, dims }]) => [name, new OrtTensor(type, data, dims)]),
    );
    const results = await session.run(feeds).catch(refused);
    return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, asTensor(tensor)]));
  } finally {
    await session.release();
  }
}
