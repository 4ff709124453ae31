/** Every pass keeps the meaning of the program, whatever the plan: random plans on small models, compared after each stage. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compare } from '../../compiler/compare.ts';
import { parseProgram } from '../../compiler/ir/parse.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { formatProgram } from '../../compiler/ir/text.ts';
import { lower, prepare } from '../../compiler/lower.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { randomInputs } from '../../fixtures/inputs.ts';
import { models } from '../../fixtures/models.ts';
import type { NumericDType } from '../../runtime/dtype.ts';
import type { Tensor } from '../../runtime/program.ts';
import { execute } from '../support/execute.ts';
import { randomPlan } from '../support/random-plan.ts';

const test = suite('random plans');

const cluster = parseCluster({
  devices: { a: { speed: 1 }, b: { speed: 2 }, c: { speed: 1.5 } },
  links: [
    { between: ['a', 'b'], bandwidth: '1 Gbit/s' },
    { between: ['a', 'c'], bandwidth: '1 Gbit/s' },
    { between: ['b', 'c'], bandwidth: '1 Gbit/s' },
  ],
  inputs: 'a',
  outputs: 'c',
});

const seeds = Number(process.env.SEEDS ?? 4);

for (const [name, build] of Object.entries(models)) {
  test(name, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
    try {
      const file = join(folder, 'model.onnx');
      await writeFile(file, build());
      const imported = await importModel(file);
      const specs = imported.inputs.map((input) => {
        const { dtype, shape } = tensorOf(imported, input);
        return { name: input, dtype: dtype as NumericDType, shape: shape as number[] };
      });
      const inputs = randomInputs(specs);
      const session = await ort.InferenceSession.create(file, { intraOpNumThreads: 1, logSeverityLevel: 3 });
      const feeds = Object.fromEntries(
        Object.entries(inputs).map(([input, { type, dims, data }]) => [
          input,
          new ort.Tensor(type, data as Float32Array, dims),
        ]),
      );
      const expected = await session.run(feeds);
      const check = async (program: Program, what: string) => {
        const outputs = await execute(program, inputs);
        for (const output of program.outputs) {
          const { type, dims, data } = expected[output]!;
          const result = compare(output, outputs[output], { type, dims, data } as Tensor);
          assert.ok(result.ok, `${name} ${what}: ${output} ${result.diverges}`);
        }
      };
      await check(imported, 'imported');
      let split = 0;
      for (let seed = 1; seed <= seeds; seed++) {
        const programs: Program[] = [];
        const plan = randomPlan(imported, ['a', 'b', 'c'], seed);
        const options = { cluster, plan, observe: (program: Program) => void programs.push(program) };
        lower(prepare(imported, options), options);
        assert.is(programs.length, 4);
        for (const program of programs) {
          const text = formatProgram(program);
          assert.is(formatProgram(parseProgram(text)), text, `${name} ${program.stage}: text form reads back`);
          if (program.stage !== 'imported') await check(program, `seed ${seed} ${program.stage}`);
        }
        split += programs[1]!.operators.length - programs[0]!.operators.length;
      }
      assert.ok(split > 0, `${name}: no plan split anything`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

test.run();
