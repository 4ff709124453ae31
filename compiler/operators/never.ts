/** Operators that no rule will ever cut, and why. */
import { type Family, whole } from './rule.ts';

/** Operator → why it runs whole. */
export type Reasons = Readonly<Record<string, string>>;

const reasons = (reason: string, types: string): Reasons =>
  Object.fromEntries(types.split(' ').map((type) => [type, reason]));

export const asFamily = (table: Reasons): Family =>
  Object.fromEntries(Object.entries(table).map(([type, reason]) => [type, () => whole(reason)]));

const RANDOM = 'random: a part is not what the whole would hold there';
const DATA = 'its output has the size the data decides';
const LONGEST = 'how many columns it makes follows from the longest text of all';
const RANGE = 'what its first and its next number are is only known at run time: a part has nowhere to begin';
const SEARCH = 'it runs whole models in a loop, each round needs the one before it';

export const never: Reasons = {
  ...reasons('control flow runs on one device', 'If Loop Scan SequenceMap'),
  ...reasons(RANDOM, 'Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike'),
  ...reasons(DATA, 'NonMaxSuppression NonZero Unique'),
  ...reasons('it tells about the whole tensor', 'Shape Size'),
  ...reasons('a constant', 'Constant'),
  ...reasons(RANGE, 'Range'),
  ...reasons(
    'each of its numbers follows from how many there are',
    'BlackmanWindow HammingWindow HannWindow MelWeightMatrix',
  ),
  ...reasons('it quantizes by the extremes of the whole tensor', 'DynamicQuantizeLinear'),
  ...reasons(
    'a sequence or an optional is no tensor: it never leaves its device',
    'ConcatFromSequence Optional OptionalHasElement SequenceAt SequenceConstruct SequenceEmpty SequenceErase ' +
      'SequenceInsert SequenceLength SplitToSequence',
  ),
  ...reasons(LONGEST, 'StringSplit'),
  ...reasons('its indices count positions in the whole output', 'MaxUnpool'),
};

export const neverOfLearning: Reasons = {
  ...reasons('a map is no tensor: it never leaves its device', 'CastMap DictVectorizer ZipMap'),
};

export const neverOfMicrosoft: Reasons = {
  ...reasons(SEARCH, 'BeamSearch GreedySearch Sampling WhisperBeamSearch'),
  ...reasons(DATA, 'BifurcationDetector DynamicTimeWarping Unique'),
  ...reasons(RANGE, 'Range'),
  ...reasons(LONGEST, 'Tokenizer'),
  ...reasons('it changes its caches in place: they never leave their device', 'SparseAttention'),
  ...reasons('a sparse tensor never leaves its device', 'SparseToDenseMatMul'),
  ...reasons('each step quantizes by the extremes of its whole state', 'DynamicQuantizeLSTM'),
};

/** Every operator of these domains. */
export const neverDomains: Readonly<Record<string, string>> = {
  'com.microsoft.nchwc': 'its channels are packed in blocks for one machine',
};
