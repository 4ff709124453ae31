/** What a caller gives as inputs, against what the model takes. */
import { ShardonnxError } from './error.ts';
import type { TensorSpec } from './manifest.ts';
import type { Tensor } from './program.ts';
import { formatShape, mismatch } from './tensor.ts';

/** @throws unknown-input, missing-input, input-dtype, input-shape */
export function checkInputs(specs: readonly TensorSpec[], inputs: Readonly<Record<string, Tensor>>): void {
  const takes = `the model takes ${specs.map(describe).join(', ') || 'no inputs'}`;
  for (const name of Object.keys(inputs)) {
    if (!specs.some((spec) => spec.name === name)) {
      throw new ShardonnxError('unknown-input', `the model has no input "${name}"`, { hint: takes });
    }
  }
  for (const spec of specs) {
    const tensor = Object.hasOwn(inputs, spec.name) ? inputs[spec.name] : undefined;
    if (!tensor) throw new ShardonnxError('missing-input', `input "${spec.name}" is missing`, { hint: takes });
    const wrong = mismatch(spec, tensor);
    if (!wrong) continue;
    throw new ShardonnxError(
      `input-${wrong.what}`,
      `input "${spec.name}" has ${wrong.what} ${wrong.given}, expected ${wrong.expected}`,
      { hint: takes },
    );
  }
}

export const describe = ({ name, dtype, shape }: TensorSpec): string => `"${name}" ${dtype} ${formatShape(shape)}`;
