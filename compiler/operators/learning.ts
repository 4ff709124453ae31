/** ai.onnx.ml: classical models look at one sample at a time, so rows are free; features are whole. */
import { elementwise } from './elementwise.ts';
import { axisLetters, byLetters, type Family, floats, ints, type Rule, whole, wholeAt } from './rule.ts';

const FEATURES = 'a sample needs all its features';

/** X [n,c] → labels [n], scores [n,k], or values [n,k]. One vector is one sample. */
const perSample: Rule = (node) => {
  if (node.inputs[0]!.shape.length !== 2) return whole('a vector is one sample');
  return byLetters(node, {
    inputs: ['nc'],
    outputs: node.outputs.map((output) => output && 'nk'.slice(0, output.shape.length)),
    whole: { c: FEATURES, k: 'the scores of a sample belong together' },
  });
};

/** Elementwise with one parameter for all, or one a feature (the last dimension). */
const perFeature =
  (...names: string[]): Rule =>
  (node) => {
    const letters = axisLetters(node.inputs[0]!.shape.length);
    const several = names.some((name) => {
      const found = node.attributes[name];
      return ((found?.kind === 'floats' ? floats : ints)(node, name)?.length ?? 0) > 1;
    });
    return byLetters(node, {
      inputs: [letters],
      outputs: [letters],
      whole: several ? { [letters.at(-1)!]: 'its attributes hold one number a feature' } : {},
    });
  };

const normalizer: Rule = (node) => {
  const letters = axisLetters(node.inputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [letters],
    outputs: [letters],
    whole: wholeAt(letters, letters.length === 1 ? [0] : [letters.length - 1], 'the norm is taken over it'),
  });
};

/** Feature vectors side by side. */
const sideBySide: Rule = (node) => {
  if (node.inputs.some((input) => input!.shape.length !== 2)) return whole('a vector is one sample');
  return byLetters(node, {
    inputs: node.inputs.map((_, i) => `n${String.fromCharCode(97 + i)}`.replace('nn', 'nN')),
    outputs: ['nk'],
    whole: Object.fromEntries(
      ['k', ...node.inputs.map((_, i) => String.fromCharCode(97 + i).replace('n', 'N'))].map((letter) => [
        letter,
        'features are joined at places that their numbers give',
      ]),
    ),
  });
};

/** A category becomes a row of zeros and a one. */
const oneHot: Rule = (node) => {
  const letters = axisLetters(node.outputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [letters.slice(0, -1)],
    outputs: [letters],
    whole: { [letters.at(-1)!]: 'its positions are the categories' },
  });
};

/** Columns of X [.., c] by index. */
const extractor: Rule = (node) => {
  const [x, indices] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const letters = axisLetters(node.outputs[0]!.shape.length);
  if (x.length === 1) return whole('a vector is one sample');
  return byLetters(node, {
    inputs: [`${letters.slice(0, -1)}i`, indices.length === 1 ? letters.at(-1)! : `1${letters.at(-1)}`],
    outputs: [letters],
    whole: { i: 'any of it may be indexed' },
  });
};

export const learningFamily: Family = {
  ArrayFeatureExtractor: extractor,
  Binarizer: elementwise,
  CategoryMapper: elementwise,
  FeatureVectorizer: sideBySide,
  Imputer: perFeature('imputed_value_floats', 'imputed_value_int64s'),
  LabelEncoder: elementwise,
  LinearClassifier: perSample,
  LinearRegressor: perSample,
  Normalizer: normalizer,
  OneHotEncoder: oneHot,
  Scaler: perFeature('offset', 'scale'),
  SVMClassifier: perSample,
  SVMRegressor: perSample,
  TreeEnsemble: perSample,
  TreeEnsembleClassifier: perSample,
  TreeEnsembleRegressor: perSample,
};
