/** Normalizing, embedding and recurrent layers of com.microsoft: free by batch and position, whole along the features. */
import { STATISTICS } from './normalization.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  int,
  type Operand,
  type Rule,
  rightAligned,
  whole,
  wholeAt,
} from './rule.ts';

const present = (operands: readonly (Operand | null)[], letters: readonly string[]) =>
  operands.map((operand, i) => (operand ? letters[i]! : null));

/** input [.., w], skip alike or broadcast, gamma, beta, bias [w]; the second and third output are statistics, the fourth the sum. */
const skipNormalization: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const letters = axisLetters(rank);
  const statistics = `${letters.slice(0, -1)}1`;
  return byLetters(node, {
    inputs: node.inputs.map((input) => (input ? rightAligned(letters, input.shape.length) : null)),
    outputs: present(node.outputs, [letters, statistics, statistics, letters]),
    whole: wholeAt(letters, [rank - 1], STATISTICS),
  });
};

const ROW = 'any row may be looked up';

/**
 * Ids and segments [b,s], tables of words, positions and segments, gamma, beta, mask [b,s], positions [b,s] or [1,s].
 * Without positions each token's is its place: then the tile reads these rows of the table.
 */
const embedding: Rule = (node) => {
  const counted = !node.inputs[8];
  const letters = ['bs', 'bs', 'aw', counted ? 'sw' : 'pw', 'gw', 'w', 'w', 'bs', 'bs'];
  return byLetters(node, {
    inputs: present(node.inputs, letters),
    outputs: present(node.outputs, ['bsw', 'b', 'bsw']),
    whole: {
      ...wholeAt('apg', [0, 1, 2], ROW),
      w: STATISTICS,
      ...(node.outputs[1] ? { s: 'the mask’s length is counted over it' } : {}),
    },
    few: 'apg',
    windows: { s: (span) => span },
  });
};

/** The same on quantized tables; positions cannot be given. */
const quantizedEmbedding: Rule = (node) => {
  const letters = ['bs', 'bs', 'aw', 'sw', 'gw', 'w', 'w', 'bs'];
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? (letters[i] ?? '*') : null)),
    outputs: present(node.outputs, ['bsw', 'b']),
    whole: {
      ...wholeAt('ag', [0, 1], ROW),
      w: STATISTICS,
      ...(node.outputs[1] ? { s: 'the mask’s length is counted over it' } : {}),
    },
    few: 'ag',
    windows: { s: (span) => span },
  });
};

/** X [.., h*c] in groups of c, each normalized and multiplied by scale [c], then by the gate. */
const gatedNormalization: Rule = (node) => {
  const letters = axisLetters(node.inputs[0]!.shape.length);
  return byLetters(node, {
    inputs: [letters, '*', letters],
    outputs: [letters],
    steps: { [letters.at(-1)!]: node.inputs[1]!.shape[0]! },
  });
};

/** Keys and queries [b,s,m,d], value [b,s,d], their norms' scales [m,d]. */
const engramGate: Rule = (node) =>
  byLetters(node, {
    inputs: ['bsmd', 'bsmd', 'bsd', 'md', 'md'],
    outputs: ['bsmd'],
    whole: { d: STATISTICS },
  });

/** X [b,c,s..], a kernel a channel, bias [c], states [b,c,k..]: channels are free, positions need those before them. */
const causalConvolution: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const spatial = 'dhw'.slice(5 - rank);
  const last = int(node, 'channels_last') === 1;
  if (last && rank > 3) return whole('its channels are several dimensions, its weights one');
  const window = (int(node, 'state_window') ?? 0) > 0 ? 'o' : '';
  const data = last ? `b${spatial}c` : `bc${spatial}`;
  const stateRank = node.outputs[1]?.shape.length ?? node.inputs[3]?.shape.length ?? 3;
  const kept = 'xyz'.slice(0, stateRank - 2 - window.length);
  const state = `${window}b${last ? `${kept}c` : `c${kept}`}`;
  return byLetters(node, {
    inputs: present(node.inputs, [data, `c1${'pqr'.slice(0, node.inputs[1]!.shape.length - 2)}`, 'c', state]),
    outputs: present(node.outputs, [data, state]),
    whole: {
      ...wholeAt(spatial, [...spatial].keys(), 'each position needs those before it, and the state is what comes last'),
      ...wholeAt('pqr', [0, 1, 2], 'every output needs the whole kernel'),
      ...wholeAt('oxyz', [0, 1, 2, 3], 'the state is what comes last'),
    },
    few: 'oxyz',
  });
};

/** LSTM that attends to a memory [b,..]: free by batch. */
const attendingLstm: Rule = (node) => {
  const letters = ['sbi', '*', '*', '*', 'b', 'dbh', 'dbh', '*', '*', '*', '*', 'bmk', 'b', '*'];
  return byLetters(node, {
    inputs: present(node.inputs, letters),
    outputs: present(node.outputs, ['sdbh', 'dbh', 'dbh']),
    whole: {
      s: 'each step needs the one before it',
      i: 'each gate needs the whole input',
      d: 'the directions share their weights’ tensor',
      h: 'each step needs the whole state',
      ...wholeAt('mk', [0, 1], 'each step attends to the whole memory'),
    },
    few: 'mk',
  });
};

/** Characters [n, words.., characters] → one vector a word. */
const wordConvolution: Rule = (node) => {
  const letters = axisLetters(node.inputs[0]!.shape.length);
  const words = letters.slice(0, -1);
  return byLetters(node, {
    inputs: [letters, '*', '*', '*'],
    outputs: [`${words}o`],
    whole: { [letters.at(-1)!]: 'a word needs all its characters', o: 'a word’s features are made together' },
  });
};

/** Ids [b,s] → hashes of the n-grams that end at each. */
const gramHashes: Rule = (node) =>
  byLetters(node, {
    inputs: present(node.inputs, ['bs', '*', '*', 'bp']),
    outputs: present(node.outputs, ['bsh', 'bp']),
    whole: {
      s: 'an n-gram reaches back',
      h: 'a position’s hashes are made together',
      p: 'the last ids, as they came',
    },
  });

/** Ids [b,s], scores [b,v]: scores of words that would repeat an n-gram are struck out. */
const gramRepeats: Rule = (node) =>
  byLetters(node, {
    inputs: ['bs', 'bv'],
    outputs: ['bv'],
    whole: { s: 'an n-gram may have been anywhere', v: 'any word may be struck out' },
  });

export const layersOfMicrosoftFamily: Family = {
  AttnLSTM: attendingLstm,
  CausalConvWithState: causalConvolution,
  EmbedLayerNormalization: embedding,
  EngramGate: engramGate,
  GatedRMSNorm: gatedNormalization,
  NGramHashMapping: gramHashes,
  NGramRepeatBlock: gramRepeats,
  QEmbedLayerNormalization: quantizedEmbedding,
  SkipLayerNormalization: skipNormalization,
  SkipSimplifiedLayerNormalization: skipNormalization,
  WordConvEmbedding: wordConvolution,
};
