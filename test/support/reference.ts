/** What onnxruntime gives for a whole model, and whether outputs equal it. */
import * as ort from 'onnxruntime-node';
import * as assert from 'uvu/assert';
import { compare, type Tolerance, tolerance } from '../../compiler/compare.ts';
import { randomInputs } from '../../fixtures/inputs.ts';
import type { NumericDType } from '../../runtime/dtype.ts';
import { openBundle } from '../../runtime/index.ts';
import type { TensorSpec } from '../../runtime/manifest.ts';
import type { Tensor } from '../../runtime/program.ts';

export type Named = Readonly<Record<string, Tensor>>;

/** Random inputs of a bundle or device whose shapes are known. */
export const inputsFor = (specs: readonly TensorSpec[], seed = 1): Named =>
  randomInputs(
    specs.map(({ name, dtype, shape }) => ({ name, dtype: dtype as NumericDType, shape: shape as number[] })),
    seed,
  );

export async function reference(model: string, inputs: Named): Promise<Named> {
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  const feeds = Object.entries(inputs).map(([name, { type, dims, data }]) => [
    name,
    new ort.Tensor(type, data as Float32Array, dims),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(results).map(([name, { type, dims, data }]) => [name, { type, dims, data } as Tensor]),
  );
}

/** Every output, and no others, within the tolerance that `verify` has, or another. */
export function assertEqualOutputs(actual: Named, expected: Named, allowed: Tolerance = tolerance): void {
  assert.equal(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const [name, tensor] of Object.entries(expected)) {
    const { ok, diverges } = compare(name, actual[name], tensor, allowed);
    assert.ok(ok, `${name} ${diverges}`);
  }
}

/** A build of a model, all devices in this process, gives what onnxruntime gives for the model on random inputs. */
export async function assertBuildEquals(build: string, model: string): Promise<void> {
  const bundle = await openBundle(build, { transport: 'memory', threads: 1 });
  try {
    const inputs = inputsFor(bundle.inputs);
    assertEqualOutputs((await bundle.infer(inputs)).outputs, await reference(model, inputs));
  } finally {
    await bundle.close();
  }
}
