/** Examples of reductions, of operators that work along one dimension, and of classical models. */
import {
  type Case,
  example,
  f32,
  float,
  index,
  index32,
  int,
  ints,
  long,
  longs,
  of,
  positive,
  reals,
  scale,
  tensor,
  text,
  texts,
  u8,
} from './example.ts';

const x = f32(3, 4, 5);
const microsoft = { domain: 'com.microsoft' };
const samples = f32(5, 3);
const learned = (
  type: string,
  attributes: Case['attributes'],
  outputs = [true],
  opset = 1,
  inputs: Case['inputs'] = [samples],
) => example(type, inputs, attributes, { domain: 'ai.onnx.ml', opset, outputs });
const reduced = (types: string, input = x) =>
  types
    .split(' ')
    .map((type) => example(`Reduce${type}`, [input], { axes: ints(1) }, { opset: type === 'Sum' ? 11 : 13 }));

/** One split at 0 on feature 0, two leaves a tree. */
const tree = {
  nodes_treeids: ints(0, 0, 0),
  nodes_nodeids: ints(0, 1, 2),
  nodes_featureids: ints(0, 0, 0),
  nodes_modes: texts('BRANCH_LEQ', 'LEAF', 'LEAF'),
  nodes_values: reals(0, 0, 0),
  nodes_truenodeids: ints(1, 0, 0),
  nodes_falsenodeids: ints(2, 0, 0),
} as const;
const vectors = {
  coefficients: reals(1, -1, 0.5),
  support_vectors: reals(1, 0, 1, 0, 1, 0, 1, 1, 1),
  kernel_type: text('RBF'),
  kernel_params: reals(0.5, 0, 3),
  rho: reals(0.1),
} as const;

export const alongExamples: readonly Case[] = [
  ...reduced('L1 L2 LogSumExp Max Mean Min Prod Sum SumSquare'),
  ...reduced('LogSum', positive(3, 4, 5)),
  example('ArgMax', [x], { axis: int(1) }),
  example('ArgMin', [x], { axis: int(1) }),
  example('CumProd', [x, long(1)], {}, { opset: 26 }),
  example('CumSum', [x, long(1)]),
  example('TopK', [x, longs(2)], { axis: int(1) }, { outputs: [true, true] }),
  example('ReverseSequence', [x, { ...index(5, 4), range: [1, 4] }]),
  example('Softmax', [x]),
  example('LogSoftmax', [x]),
  example('Hardmax', [x]),
  example('QLinearSoftmax', [u8(3, 4, 5), scale(), u8(), scale(), u8()], { opset: int(13) }, microsoft),
  example('DFT', [f32(3, 6, 1)], { axis: int(1) }),
  example('STFT', [f32(2, 20, 1), { ...long(3) }, f32(6)]),
  example('TfIdfVectorizer', [index(5, 4, 6)], {
    mode: text('TF'),
    min_gram_length: int(1),
    max_gram_length: int(2),
    max_skip_count: int(0),
    ngram_counts: ints(0, 2),
    ngram_indexes: ints(0, 1, 2),
    pool_int64s: ints(1, 2, 1, 3),
  }),
  example('SoftmaxCrossEntropyLoss', [f32(4, 5), index(5, 4)], { reduction: text('mean') }),
  example('NegativeLogLikelihoodLoss', [f32(4, 5), index(5, 4)], { reduction: text('sum') }),
  example(
    'NGramHashMapping',
    [index(9, 2, 5), longs(3, 5), longs(7, 11)],
    { pad_id: int(0), n_head_per_ngram: int(2), max_ngram_size: int(2) },
    microsoft,
  ),
  example(
    'NGramRepeatBlock',
    [{ ...index(9, 2, 6), values: [1, 2, 1, 4, 6, 1, 5, 3, 5, 8, 2, 5] }, f32(2, 9)],
    { ngram_size: int(2) },
    microsoft,
  ),
  example(
    'WordConvEmbedding',
    [index32(9, 4, 5), f32(6, 1, 3, 4), f32(6), f32(9, 4)],
    { conv_window_size: int(3), embedding_size: int(6), char_embedding_size: int(4) },
    microsoft,
  ),
  example('DynamicTimeWarping', [f32(4, 5)], {}, microsoft),
  example(
    'BifurcationDetector',
    [index(9, 5), index(9, 2), { ...index(1), values: [0] }],
    { min_ngram_size: int(1), max_ngram_size: int(3) },
    { ...microsoft, outputs: [true, true] },
  ),

  learned('ArrayFeatureExtractor', {}, [true], 1, [samples, index(3, 1, 2)]),
  learned('FeatureVectorizer', { inputdimensions: ints(3, 2) }, [true], 1, [samples, f32(5, 2)]),
  learned('CategoryMapper', { cats_strings: texts('one', 'two'), cats_int64s: ints(1, 2) }, [true], 1, [
    of('string', 5),
  ]),
  learned('Imputer', { imputed_value_floats: reals(1, 2, 3), replaced_value_float: float(0) }, [true], 1, [
    { ...samples, values: [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3] },
  ]),
  learned(
    'LinearClassifier',
    { coefficients: reals(1, 2, 3, 3, 2, 1), intercepts: reals(0.1, 0.2), classlabels_ints: ints(0, 1) },
    [true, true],
  ),
  learned('LinearRegressor', { coefficients: reals(1, 2, 3, 3, 2, 1), intercepts: reals(0.1, 0.2), targets: int(2) }),
  learned('Normalizer', { norm: text('L2') }),
  learned('OneHotEncoder', { cats_int64s: ints(0, 1, 2, 3), zeros: int(1) }, [true], 1, [index(4, 5)]),
  learned('Scaler', { offset: reals(1), scale: reals(2) }),
  learned(
    'SVMClassifier',
    { ...vectors, coefficients: reals(1, -1, 0.5), vectors_per_class: ints(2, 1), classlabels_ints: ints(0, 1) },
    [true, true],
  ),
  learned('SVMRegressor', { ...vectors, n_supports: int(3) }),
  learned(
    'TreeEnsemble',
    {
      nodes_featureids: ints(0),
      nodes_splits: tensor('float32', 0),
      nodes_modes: tensor('uint8', 0),
      nodes_truenodeids: ints(0),
      nodes_trueleafs: ints(1),
      nodes_falsenodeids: ints(1),
      nodes_falseleafs: ints(1),
      leaf_targetids: ints(0, 0),
      leaf_weights: tensor('float32', 1, 2),
      tree_roots: ints(0),
      n_targets: int(1),
    },
    [true],
    5,
  ),
  learned(
    'TreeEnsembleClassifier',
    {
      ...tree,
      class_treeids: ints(0, 0),
      class_nodeids: ints(1, 2),
      class_ids: ints(0, 1),
      class_weights: reals(1, 1),
      classlabels_int64s: ints(0, 1),
    },
    [true, true],
  ),
  learned('TreeEnsembleRegressor', {
    ...tree,
    target_treeids: ints(0, 0),
    target_nodeids: ints(1, 2),
    target_ids: ints(0, 0),
    target_weights: reals(1, 2),
    n_targets: int(1),
  }),
];
