import fc from 'fast-check';
import { suite } from 'uvu';
import type { Attributes } from '../../compiler/ir/program.ts';
import { type Case, f32, int, ints, reals, text, texts } from './brute-force.ts';
import { property, rows, wholes } from './suite.ts';

const test = suite('ai.onnx.ml');
const learned = (type: string, inputs: Case['inputs'], attributes: Attributes, outputs = [true], opset = 1): Case => ({
  type,
  domain: 'ai.onnx.ml',
  opset,
  inputs,
  attributes,
  outputs,
});

const numbers = (length: number) =>
  fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: length, maxLength: length });
const samples = fc.integer({ min: 1, max: 40 });

/** Trees of one split each, on a feature of their own. */
const forests = fc
  .record({
    n: samples,
    trees: fc.integer({ min: 1, max: 4 }),
    splits: numbers(4),
    weights: numbers(8),
    sums: fc.constantFrom('SUM', 'AVERAGE', 'MAX'),
  })
  .map(({ n, trees, splits, weights, sums }): Case => {
    const each = <T>(value: (tree: number) => T[]) => Array.from({ length: trees }, (_, i) => value(i)).flat();
    return learned('TreeEnsembleRegressor', [f32(n, 4)], {
      nodes_treeids: ints(...each((tree) => [tree, tree, tree])),
      nodes_nodeids: ints(...each(() => [0, 1, 2])),
      nodes_featureids: ints(...each((tree) => [tree, 0, 0])),
      nodes_modes: texts(...each(() => ['BRANCH_LEQ', 'LEAF', 'LEAF'])),
      nodes_values: reals(...each((tree) => [splits[tree]!, 0, 0])),
      nodes_truenodeids: ints(...each(() => [1, 0, 0])),
      nodes_falsenodeids: ints(...each(() => [2, 0, 0])),
      target_treeids: ints(...each((tree) => [tree, tree])),
      target_nodeids: ints(...each(() => [1, 2])),
      target_ids: ints(...each(() => [0, 1])),
      target_weights: reals(...weights.slice(0, 2 * trees)),
      n_targets: int(2),
      aggregate_function: text(sums),
    });
  });
property(test, 'any forest', 'n', forests);

const machines = fc
  .record({
    n: samples,
    kernel: fc.constantFrom('LINEAR', 'RBF', 'POLY', 'SIGMOID'),
    vectors: numbers(9),
    coefficients: numbers(3),
  })
  .map(
    ({ n, kernel, vectors, coefficients }): Case =>
      learned('SVMRegressor', [f32(n, 3)], {
        kernel_type: text(kernel),
        kernel_params: reals(0.5, 0.1, 2),
        support_vectors: reals(...vectors),
        coefficients: reals(...coefficients),
        rho: reals(0.1),
        n_supports: int(3),
      }),
  );
property(test, 'any support vectors', 'n', machines);

const linear = fc.record({ n: samples, weights: numbers(6), post: fc.constantFrom('NONE', 'SOFTMAX', 'LOGISTIC') }).map(
  ({ n, weights, post }): Case =>
    learned(
      'LinearClassifier',
      [f32(n, 3)],
      {
        coefficients: reals(...weights),
        intercepts: reals(0.1, 0.2),
        classlabels_ints: ints(3, 5),
        post_transform: text(post),
      },
      [true, true],
    ),
);
property(test, 'any linear classifier', 'n', linear);

rows(test, [
  ['nc->nc', 'n', learned('Scaler', [f32(4, 3)], { offset: reals(1, 2, 3), scale: reals(1, 2, 3) })],
  ['nc->nc', 'n', learned('Normalizer', [f32(4, 3)], { norm: text('MAX') })],
]);
wholes(test, [['one sample', learned('LinearRegressor', [f32(3)], { coefficients: reals(1, 2, 3), targets: int(1) })]]);

test.run();
