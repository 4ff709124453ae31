/** Operators that no rule will ever cut, and why. */
import { type Family, whole } from './rule.ts';

function reasons(reason: string, types: string): Family {
  return Object.fromEntries(types.split(' ').map((type) => [type, () => whole(reason)]));
}

const RANDOM = 'random: a part is not what the whole would hold there';
const DATA = 'its output has the size the data decides';
const STRINGS = 'strings have no fixed size';
const SEARCH = 'it runs whole models in a loop, each round needs the one before it';

export const never: Family = {
  ...reasons('control flow runs on one device', 'If Loop Scan SequenceMap'),
  ...reasons(RANDOM, 'Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike'),
  ...reasons(DATA, 'NonMaxSuppression NonZero Unique'),
  ...reasons('it tells about the whole tensor', 'Shape Size'),
  ...reasons('a constant', 'Constant EyeLike Range'),
  ...reasons('a constant of a few numbers', 'BlackmanWindow HammingWindow HannWindow MelWeightMatrix'),
  ...reasons('it quantizes by the extremes of the whole tensor', 'DynamicQuantizeLinear'),
  ...reasons(
    'a sequence or an optional is no tensor: it never leaves its device',
    'ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct SequenceEmpty ' +
      'SequenceErase SequenceInsert SequenceLength SplitToSequence',
  ),
  ...reasons(STRINGS, 'RegexFullMatch StringConcat StringNormalizer StringSplit'),
  ...reasons('its indices count positions in the whole output', 'MaxUnpool'),
};

export const neverOfLearning: Family = {
  ...reasons('a map is no tensor: it never leaves its device', 'CastMap DictVectorizer ZipMap'),
  ...reasons(STRINGS, 'CategoryMapper'),
};

export const neverOfMicrosoft: Family = {
  ...reasons(SEARCH, 'BeamSearch GreedySearch Sampling WhisperBeamSearch'),
  ...reasons(DATA, 'BifurcationDetector DynamicTimeWarping Unique'),
  ...reasons('a constant', 'Range'),
  ...reasons(STRINGS, 'Tokenizer'),
  ...reasons('it changes its caches in place: they never leave their device', 'SparseAttention'),
  ...reasons('a sparse tensor never leaves its device', 'SparseToDenseMatMul'),
  ...reasons('each step quantizes by the extremes of its whole state', 'DynamicQuantizeLSTM'),
};

/** Every operator of these domains. */
export const neverDomains: Readonly<Record<string, string>> = {
  'com.microsoft.nchwc': 'its channels are packed in blocks for one machine',
};
