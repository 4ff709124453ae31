/** What plain onnxruntime gives for a model: the answer that bundles must give too. */
import type * as Ort from 'onnxruntime-node';
import { onnxruntime, type Tensor } from '../../runtime/index.ts';
import { type Comparison, compare, type Tolerance } from '../compare.ts';
import { CompileError } from '../error.ts';

type Named = Readonly<Record<string, Tensor>>;

const asTensor = ({ type, dims, data }: Ort.Tensor): Tensor => ({ type, dims, data }) as Tensor;

/** @throws model-refused */
export async function reference(model: string, inputs: Named): Promise<Record<string, Tensor>> {
  const { InferenceSession, Tensor: OrtTensor } = onnxruntime();
  const refused = (cause: unknown): never => {
    throw new CompileError('model-refused', `onnxruntime: ${cause instanceof Error ? cause.message.trim() : cause}`, {
      at: [`model ${model}`],
      hint: 'give the model the bundle was compiled from',
      cause,
    });
  };
  const session = await InferenceSession.create(model, { logSeverityLevel: 4 }).catch(refused);
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

/** Every output of the reference against the bundle's. */
export const compareAll = (actual: Named, expected: Named, tolerance?: Tolerance): Comparison[] =>
  Object.entries(expected).map(([name, tensor]) => compare(name, actual[name], tensor, tolerance));

/** One line an output. */
export const formatComparison = ({ name, ok, maxAbs, maxRel, diverges }: Comparison): string =>
  `${ok ? 'equal  ' : 'DIFFERS'} ${name}: max |Δ| ${maxAbs.toExponential(1)}, ${maxRel.toExponential(1)} of the largest value` +
  (diverges ? `; first at ${diverges}` : '');
