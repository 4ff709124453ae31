/** Fourier transforms and word counts: free by batch, and by frame where frames are cut out of a signal. */
import type { Span } from '../ir/region.ts';
import {
  atRunTime,
  axisLetters,
  byLetters,
  type Family,
  fromFront,
  int,
  type Node,
  type Rule,
  whole,
  wholeAt,
} from './rule.ts';

/** An attribute before opset 20, then an input; fed, it shows where there is one dimension or one that changes its size. */
function axisOf(node: Node): number | undefined {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const given = node.opset < 20 ? (int(node, 'axis') ?? 1) : node.inputs[2] ? node.inputs[2].constant?.[0] : -2;
  if (given !== undefined) return fromFront(given, input.length);
  const signals = [...input.keys()].slice(0, -1);
  const changed = signals.filter((i) => input[i] !== output[i]);
  return signals.length === 1 ? 0 : changed[0];
}

/** The last dimension is the real and the imaginary part. */
const dft: Rule = (node) => {
  const rank = node.inputs[0]!.shape.length;
  const axis = axisOf(node);
  const letters = axisLetters(rank, 'zf');
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const read = (dimension: number) => (): Span => [0, input[dimension]!];
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((operand) => (operand ? '*' : null))],
    outputs: [letters],
    whole: {
      ...(axis === undefined
        ? wholeAt(letters, [...input.keys()], atRunTime('which dimension is transformed'))
        : wholeAt(letters, [axis], 'every frequency needs the whole signal')),
      ...wholeAt(letters, [rank - 1], 'real and imaginary part'),
    },
    windows: Object.fromEntries(
      [...input.keys()].filter((i) => input[i] !== output[i]).map((i) => [letters[i]!, read(i)]),
    ),
  });
};

/** Samples a frame, and from one to the next; fed, they show where only one step makes so many frames. */
function framesOf(node: Node): { size?: number | undefined; hop?: number | undefined } {
  const [signal, step, window, frame] = node.inputs;
  const [, count, frequencies] = node.outputs[0]!.shape;
  const twoSided = (int(node, 'onesided') ?? 1) === 0;
  const size = window?.shape[0] ?? frame?.constant?.[0] ?? (twoSided ? frequencies : undefined);
  const hop = step?.constant?.[0];
  if (size === undefined || hop !== undefined) return { size, hop };
  const room = signal!.shape[1]! - size;
  const most = count! > 1 ? Math.floor(room / (count! - 1)) : Number.NaN;
  return { size, hop: most > room / count! && most - 1 <= room / count! ? most : undefined };
}

/** Signal [b,l,1], window [w] → [b, frames, frequencies, 2]: a frame reads `size` samples, `hop` after the one before. */
const stft: Rule = (node) => {
  const { size, hop } = framesOf(node);
  const shape = node.inputs[0]!.shape;
  const unknown = hop === undefined || size === undefined;
  return byLetters(node, {
    inputs: [shape.length === 3 ? 'bfc' : 'bf', ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: ['bfkp'],
    kinds: { f: 'window' },
    whole: {
      k: 'every frequency needs the whole frame',
      p: 'real and imaginary part',
      c: 'real and imaginary part',
      ...(unknown ? { f: atRunTime('where its frames begin') } : {}),
    },
    windows: {
      f: ([begin, end]): Span => (unknown ? [0, shape[1]!] : [begin * hop!, (end - 1) * hop! + size!]),
    },
  });
};

/** Words [n,w], or [w] of one document → counts [n,k]. */
const termCounts: Rule = (node) => {
  if (node.inputs[0]!.shape.length !== 2) return whole('a vector is one document, and its words are counted together');
  return byLetters(node, {
    inputs: ['nw'],
    outputs: ['nk'],
    whole: { w: 'a document’s words are counted together', k: 'its positions are the n-grams that are counted' },
    few: 'w',
  });
};

export const signalFamily: Family = { DFT: dft, STFT: stft, TfIdfVectorizer: termCounts };
