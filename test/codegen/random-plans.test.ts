/** Random plans as bundles: segments, programs and transport give what onnxruntime gives for the whole model. */
import { suite } from 'uvu';
import { compile } from '../../compiler/compile.ts';
import { models } from '../../fixtures/models.ts';
import { openBundle } from '../../runtime/bundle.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, imported, type ModelName, modelFile } from '../support/imported.ts';
import { randomPlan } from '../support/random-plan.ts';
import { assertEqualOutputs, inputsFor, reference } from '../support/reference.ts';

const test = suite('random bundles');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');
const seeds = Number(process.env.SEEDS ?? 2);

for (const name of Object.keys(models) as ModelName[]) {
  test(name, async () => {
    const [program, model] = [await imported(name), modelFile(name)];
    for (let seed = 101; seed < 101 + seeds; seed++) {
      const output = work.path(`${name}${seed}`);
      await compile({ model, cluster, plan: randomPlan(program, ['a', 'b', 'c'], seed), output });
      const bundle = await openBundle(output, { transport: 'memory', threads: 1 });
      try {
        const inputs = inputsFor(bundle.inputs, seed);
        assertEqualOutputs((await bundle.infer(inputs)).outputs, await reference(model, inputs));
      } finally {
        await bundle.close();
      }
    }
  });
}

test.run();
