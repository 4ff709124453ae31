/** Whole bundles under test: compiled, run in this process, compared with onnxruntime on the whole model. */
import { type Tolerance, tolerance } from '../../compiler/compare.ts';
import { type CompileOptions, compile } from '../../compiler/compile.ts';
import { openBundle } from '../../runtime/bundle.ts';
import { assertEqualOutputs, inputsFor, reference } from './reference.ts';

/** Fails unless the bundle gives, for random inputs of this seed, what onnxruntime gives. */
export async function assertRuns(options: CompileOptions, seed = 1, allowed: Tolerance = tolerance): Promise<void> {
  await compile(options);
  const bundle = await openBundle(options.output, { transport: 'memory', threads: 1 });
  try {
    const inputs = inputsFor(bundle.inputs, seed);
    assertEqualOutputs((await bundle.infer(inputs)).outputs, await reference(options.model, inputs), allowed);
  } finally {
    await bundle.close();
  }
}
