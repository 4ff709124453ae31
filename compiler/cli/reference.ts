/** What plain onnxruntime gives for a model: the answer that bundles must give too. */
import type * as Ort from 'onnxruntime-node';
import { onnxruntime, type Tensor } from '../../runtime/index.ts';
import { type Comparison, compare, type Tolerance } from '../compare.ts';
import { CompileError } from '../error.ts';
import { STRAY, toleranceOf } from './tolerance.ts';

type Named = Readonly<Record<string, Tensor>>;

const asTensor = ({ type, dims, data }: Ort.Tensor): Tensor => ({ type, dims, data }) as Tensor;

/**
 * @param optimised false: every operator as the model states it
 * @throws model-refused
 */
export async function reference(model: string, inputs: Named, optimised = true): Promise<Record<string, Tensor>> {
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

/**
 * Every output against onnxruntime's on the whole model. Where they differ by more than the tolerance, onnxruntime is asked
 * again without its optimisations: no answer can be held to more digits than onnxruntime's own have.
 */
export async function compareWithReference(
  model: string,
  inputs: Named,
  outputs: Named,
  given: Partial<Tolerance> = {},
): Promise<Comparison[]> {
  const expected = await reference(model, inputs);
  const allowed = { ...toleranceOf(model), ...given };
  const compared = Object.entries(expected).map(([name, tensor]) => compare(name, outputs[name], tensor, allowed));
  if (compared.every(({ ok, maxAbs }) => ok || !Number.isFinite(maxAbs))) return compared;
  const plain = await reference(model, inputs, false);
  return compared.map((first) => {
    if (first.ok) return first;
    const { maxAbs } = compare(first.name, plain[first.name], expected[first.name]!);
    const noise = Number.isFinite(maxAbs) ? maxAbs : 0;
    return {
      ...compare(first.name, outputs[first.name], expected[first.name]!, { ...allowed, noise: STRAY * noise }),
      noise,
    };
  });
}

/** One line an output. */
export const formatComparison = ({ name, ok, maxAbs, maxRel, diverges, noise }: Comparison): string =>
  `${ok ? 'equal  ' : 'DIFFERS'} ${name}: max |Δ| ${maxAbs.toExponential(1)}, ${maxRel.toExponential(1)} of the largest value` +
  (noise === undefined ? '' : `; onnxruntime with and without its optimisations: ${noise.toExponential(1)}`) +
  (diverges ? `; first at ${diverges}` : '');
