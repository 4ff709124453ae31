/** What a caller gives as inputs, against what the build takes. */
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
  if (unknown !== undefined) throw unknownInput(specs, unknown);
  const missing = specs.find(({ name }) => !names.includes(name));
  if (missing) throw new ShardonnxError('missing-input', `input "${missing.name}" is missing`, { hint: takes(specs) });
}

/** Some models let a caller replace a weight: in a build it is fixed, and the weight's name is none of its inputs. */
export const unknownInput = (specs: readonly TensorSpec[], name: string) =>
  new ShardonnxError('unknown-input', `the build has no input "${name}"`, {
    hint: `${takes(specs)}; what the model itself gives a value (an initializer) is fixed when it is compiled`,
  });

const takes = (specs: readonly TensorSpec[]): string =>
  `the build takes ${specs.map(describe).join(', ') || 'no inputs'}`;

export const describe = ({ name, dtype, shape }: TensorSpec): string => `"${name}" ${dtype} ${formatShape(shape)}`;
