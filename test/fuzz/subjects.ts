/** The small models that the fuzzer damages, and how each is compiled. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { models, unusualModels } from '../../fixtures/models.ts';
import { graphAttribute, int64s, modelBytes, node, ramp, strings, tensorAttribute, value } from '../onnx/make.ts';
import { root } from '../support/sources.ts';

export interface Subject {
  readonly name: string;
  readonly bytes: () => Uint8Array;
  /** Contents of the cluster file, and of the plan file if it is compiled with one. */
  readonly cluster: string;
  readonly plan?: string;
}

const pair = JSON.stringify({
  devices: { a: {}, b: { speed: 2 } },
  links: [{ between: ['a', 'b'], bandwidth: '1 Gbit/s', latency: '0.1 ms' }],
});

/** Small enough that a change of a few bytes often changes the graph. */
const tiny: Readonly<Record<string, () => Uint8Array>> = {
  product: () =>
    modelBytes({
      nodes: [
        node('MatMul', ['x', 'w'], ['h'], {}, { name: 'product' }),
        node('Softmax', ['h'], ['y'], { axis: { kind: 'int', value: -1 } }),
      ],
      initializers: [ramp('w', [4, 3])],
    }),
  constants: () =>
    modelBytes({
      nodes: [
        node('Constant', [], ['s'], { value: tensorAttribute(int64s('', [2, 2])) }),
        node('ConstantOfShape', ['n'], ['c']),
        node('Reshape', ['x', 's'], ['r']),
        node('Tile', ['c', 'n'], ['t']),
        node('Slice', ['t', 'z', 'n'], ['u']),
        node('Sum', ['r', 'u'], ['y']),
      ],
      initializers: [int64s('n', [2, 2]), int64s('z', [0, 0]), strings('t', ['a', 'bc'])],
      outputs: [value('y', [2, 2])],
      graph: { valueInfo: [value('r', [2, 2])] as never },
    }),
  branch: () =>
    modelBytes({
      nodes: [
        node('If', ['c'], ['y'], {
          then_branch: graphAttribute({ name: 't', node: [node('Exp', ['x'], ['to'])], output: [{ name: 'to' }] }),
          else_branch: graphAttribute({ name: 'e', initializer: [ramp('eo', [1100])], output: [{ name: 'eo' }] }),
        }),
      ],
      inputs: [value('x', ['batch', 4]), value('c', [], 9)],
    }),
};

const made = (group: Readonly<Record<string, () => Uint8Array>>): Subject[] =>
  Object.entries(group).map(([name, bytes]) => ({ name, bytes, cluster: pair }));

/** fixtures/cases: models compiled with a plan and cluster of their own. */
function cases(): Subject[] {
  const folder = join(root, 'fixtures/cases');
  return readdirSync(folder).map((name) => {
    const { model, cluster, plan } = JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8'));
    const text = plan && JSON.stringify({ format: 1, model, policy: 'by hand', operators: plan });
    const bytes = models[model as keyof typeof models];
    return { name, bytes, cluster: JSON.stringify(cluster), ...(text && { plan: text }) };
  });
}

const LARGEST = 20_000;

/** ONNX's own test cases, where they are; a sample of those that are small. */
function conformance(every: number): Subject[] {
  const folder = join(root, '../shared/conformance');
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.onnx'))
    .map((file) => join(folder, file))
    .filter((file) => statSync(file).size < LARGEST)
    .sort();
  return files.flatMap((file, i) =>
    i % every === 0 ? [{ name: relative(folder, file), bytes: () => readFileSync(file), cluster: pair }] : [],
  );
}

/** The same list on the same checkout. */
export const subjects: readonly Subject[] = [
  ...[tiny, models, unusualModels].flatMap(made),
  ...cases(),
  ...conformance(10),
];
