/** A build's outputs against what plain onnxruntime gives for its model. */
import type { NamedTensors } from '../../runtime/index.ts';
import { type Comparison, compare, type Tolerance } from '../compare.ts';
import { reference } from '../reference.ts';
import { STRAY, toleranceOf } from './tolerance.ts';

/**
 * Every output against onnxruntime's on the whole model. Where they differ by more than the tolerance, onnxruntime is asked
 * again without its optimisations: no answer can be held to more digits than onnxruntime's own have.
 */
export async function compareWithReference(
  model: string,
  inputs: NamedTensors,
  outputs: NamedTensors,
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
