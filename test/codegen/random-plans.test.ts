/** Random plans as bundles: segments, programs and transport give what onnxruntime gives for the whole model. */
import { suite } from 'uvu';
import { models } from '../../fixtures/models.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf, imported, type ModelName, modelFile } from '../support/imported.ts';
import { randomPlan } from '../support/random-plan.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('random bundles');
const work = workFolder();
const cluster = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');
const seeds = Number(process.env.SEEDS ?? 2);

for (const name of Object.keys(models) as ModelName[]) {
  test(name, async () => {
    const [program, model] = [await imported(name), modelFile(name)];
    for (let seed = 101; seed < 101 + seeds; seed++) {
      const plan = randomPlan(program, ['a', 'b', 'c'], seed);
      await assertRuns({ model, cluster, plan, output: work.path(`${name}${seed}`) }, seed);
    }
  });
}

test.run();
