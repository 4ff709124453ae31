/** fixtures/cases: the program of every stage, the plan and each device's program.ts as they are kept; they type-check and run. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { tolerance } from '../../compiler/compare.ts';
import { compile } from '../../compiler/compile.ts';
import { stages } from '../../compiler/ir/program.ts';
import { parsePlan } from '../../compiler/planning/plan.ts';
import { models } from '../../fixtures/models.ts';
import { openBundle } from '../../runtime/bundle.ts';
import { compareWithFolder, portable } from '../support/golden.ts';
import { type ModelName, modelFile } from '../support/imported.ts';
import { assertEqualOutputs, inputsFor, reference } from '../support/reference.ts';
import { typeErrors } from '../support/type-check.ts';

const test = suite('golden');
const cases = join(import.meta.dirname, '../../fixtures/cases');
const work = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
test.after(() => rm(work, { recursive: true }));

const caseFile = z.strictObject({
  /** What it shows. */
  about: z.string(),
  model: z.enum(Object.keys(models) as ModelName[]),
  dims: z.record(z.string(), z.number()).default({}),
  cluster: z.unknown(),
  policy: z.string().optional(),
  /** A plan's operators. */
  plan: z.record(z.string(), z.unknown()).optional(),
  /** Beside it. */
  encodings: z.record(z.string(), z.unknown()).optional(),
  maxRelativeError: z.number().optional(),
});

/** Compiles a case into a folder of its own. */
async function compiled(name: string) {
  const { model, dims, cluster, policy, plan, encodings, maxRelativeError } = caseFile.parse(
    JSON.parse(await readFile(join(cases, name, 'case.json'), 'utf8')),
  );
  const [output, dump] = [join(work, name), join(work, `${name}-stages`)];
  const head = { format: 1, model: `${model}.onnx`, policy: 'by hand', maxRelativeError, encodings };
  const planText = JSON.stringify({ ...head, operators: plan });
  const file = modelFile(model);
  await compile({
    model: file,
    dims,
    cluster: parseCluster(cluster),
    ...(plan ? { plan: parsePlan(planText) } : { policy }),
    dump,
    output,
  });
  return { file, output, dump, maxRelativeError };
}

const names = await readdir(cases);
const builds = new Map<string, Awaited<ReturnType<typeof compiled>>>();

for (const name of names) {
  test(`${name}: every stage, the plan and the programs are as they were`, async () => {
    const build = await compiled(name);
    builds.set(name, build);
    const texts: Record<string, string> = {};
    const dumps = (await readdir(build.dump)).filter((file) => file.endsWith('.ir')).sort();
    assert.equal(
      dumps.slice(0, stages.length),
      stages.map((stage, i) => `${i}-${stage}.ir`),
    );
    for (const file of dumps) texts[file] = portable(await readFile(join(build.dump, file), 'utf8'));
    texts['plan.json'] = await readFile(join(build.output, 'plan.json'), 'utf8');
    for (const entry of await readdir(build.output, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      texts[join(entry.name, 'program.ts')] = await readFile(join(build.output, entry.name, 'program.ts'), 'utf8');
    }
    for (const [file, text] of Object.entries(texts))
      assert.not(text.includes(tmpdir()), `a path of this machine in ${file}`);
    await compareWithFolder(join(cases, name, 'expected'), texts);
  });

  test(`${name}: the bundle gives what onnxruntime gives`, async () => {
    const { file, output, maxRelativeError = tolerance.atol } = builds.get(name)!;
    const bundle = await openBundle(output, { transport: 'memory', threads: 1 });
    try {
      for (const seed of [1, 2]) {
        const inputs = inputsFor(bundle.inputs, seed);
        const { outputs } = await bundle.infer(inputs);
        assertEqualOutputs(outputs, await reference(file, inputs), { ...tolerance, atol: maxRelativeError });
      }
      const stats = Object.entries(await bundle.stats());
      const idle = stats.filter(([, { bytesSent, bytesReceived }]) => bytesSent + bytesReceived === 0);
      assert.equal(
        idle.map(([device]) => device),
        name === 'layer-cut' ? ['spare'] : [],
      );
    } finally {
      await bundle.close();
    }
  });
}

test('the generated programs are TypeScript without errors, against the types the bundle carries', async () => {
  const programs: string[] = [];
  for (const { output } of builds.values()) {
    for (const entry of await readdir(output, { withFileTypes: true })) {
      if (entry.isDirectory()) programs.push(join(output, entry.name, 'program.ts'));
    }
  }
  assert.ok(programs.length > 2 * builds.size);
  assert.equal(typeErrors(programs), []);
});

test('the type check sees a wrong program', async () => {
  const { output } = builds.get(names[0]!)!;
  const [device] = (await readdir(output, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const file = join(output, device!.name, 'program.ts');
  const source = await readFile(file, 'utf8');
  await writeFile(
    file,
    source
      .replace('device.segment<', 'device.segments<')
      .replace('readonly "x": Tensor<\'float32\'>', 'readonly "x": Tensor<\'f32\'>'),
  );
  const errors = typeErrors([file]).join('\n');
  assert.match(errors, /segments/);
  assert.match(errors, /f32/);
});

test.run();
