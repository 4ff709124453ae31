/** What a caller gives as inputs, against what the model takes. */
import { ShardonnxError } from './error.ts';
import type { TensorSpec } from './manifest.ts';
import type { NamedTensors } from './program.ts';
import { formatShape, mismatch } from './tensor.ts';

/** @throws unknown-input, missing-input, input-dtype, input-shape */
export function checkInputs(specs: readonly TensorSpec[], inputs: NamedTensors): void {
  checkNames(specs, Object.keys(inputs));
  for (const spec of specs) {
    const tensor = inputs[spec.name];
    const wrong = tensor && mismatch(spec, tensor);
    if (!wrong) continue;
    const message = `input "${spec.name}" has ${wrong.what} ${wrong.given}, expected ${wrong.expected}`;
    throw new ShardonnxError(`input-${wrong.what}`, message, { hint: takes(specs) });
  }
}

/** @throws unknown-input, missing-input */
export function checkNames(specs: readonly TensorSpec[], names: readonly string[]): void {
  const unknown = names.find((name) => !specs.some((spec) => spec.name === name));
  if (unknown !== undefined) {
    throw new ShardonnxError('unknown-input', `the model has no input "${unknown}"`, { hint: takes(specs) });
  }
  const missing = specs.find(({ name }) => !names.includes(name));
  if (missing) throw new ShardonnxError('missing-input', `input "${missing.name}" is missing`, { hint: takes(specs) });
}

const takes = (specs: readonly TensorSpec[]): string =>
  `the model takes ${specs.map(describe).join(', ') || 'no inputs'}`;

export const describe = ({ name, dtype, shape }: TensorSpec): string => `"${name}" ${dtype} ${formatShape(shape)}`;
