/** Fourier transforms and word counts: free by batch, and by frame where frames are cut out of a signal. */
import type { Span } from '../ir/region.ts';
import { axisLetters, byLetters, type Family, fromFront, int, type Rule, whole, wholeAt } from './rule.ts';

/** Before opset 20 the axis is an attribute; the last dimension is the real and the imaginary part. */
const dft: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const given = node.opset < 20 ? (int(node, 'axis') ?? 1) : node.inputs[2] ? node.inputs[2].constant?.[0] : -2;
  if (given === undefined) return whole('its axis is computed');
  const axis = fromFront(given, rank);
  const letters = axisLetters(rank, 'zf');
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const read = (dimension: number) => (): Span => [0, input[dimension]!];
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((operand) => (operand ? '*' : null))],
    outputs: [letters],
    whole: {
      ...wholeAt(letters, [axis], 'every frequency needs the whole signal'),
      ...wholeAt(letters, [rank - 1], 'real and imaginary part'),
    },
    windows: Object.fromEntries(
      [axis, rank - 1].filter((i) => input[i] !== output[i]).map((i) => [letters[i]!, read(i)]),
    ),
  });
};

/** Signal [b,l,1], window [w] → [b, frames, frequencies, 2]: a frame reads `length` samples, `step` after the one before. */
const stft: Rule = (node) => {
  const [signal, step, window, frame] = node.inputs;
  const hop = step?.constant?.[0];
  const size = window ? window.shape[0] : frame?.constant?.[0];
  const shape = signal!.shape;
  const computed = hop === undefined || size === undefined ? 'its frames are computed' : undefined;
  return byLetters(node, {
    inputs: [shape.length === 3 ? 'bfc' : 'bf', ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: ['bfkp'],
    kinds: { f: 'window' },
    whole: {
      k: 'every frequency needs the whole frame',
      p: 'real and imaginary part',
      c: 'real and imaginary part',
      ...(computed ? { f: computed } : {}),
    },
    windows: {
      f: ([begin, end]): Span => (computed ? [0, shape[1]!] : [begin * hop!, (end - 1) * hop! + size!]),
    },
  });
};

/** Words [n,w], or [w] of one document → counts [n,k]. */
const termCounts: Rule = (node) => {
  if (node.inputs[0]!.shape.length !== 2) return whole('a vector is one document');
  return byLetters(node, {
    inputs: ['nw'],
    outputs: ['nk'],
    whole: { w: 'a document’s words are counted together', k: 'its positions are the n-grams that are counted' },
  });
};

export const signalFamily: Family = { DFT: dft, STFT: stft, TfIdfVectorizer: termCounts };
