/** Blocks of a picture moved into channels and back: batch, rows and columns are cut. */
import { length, type Span } from '../ir/region.ts';
import { byLetters, type Family, int, type Rule, string } from './rule.ts';

/** A tile reads the rows of blocks it touches, and drops what it made too much. */
const depthToSpace: Rule = (node) => {
  const size = int(node, 'blocksize')!;
  const column = string(node, 'mode') === 'CRD';
  const blocks = ([begin, end]: Span): Span => [Math.floor(begin / size), Math.ceil(end / size)];
  return byLetters(node, {
    inputs: ['nchw'],
    outputs: ['nchw'],
    kinds: { h: 'window', w: 'window' },
    ...(column ? {} : { whole: { c: 'the channels of a block lie far apart' } }),
    windows: {
      c: column ? ([begin, end]) => [begin * size ** 2, end * size ** 2] : () => [0, node.inputs[0]!.shape[1]!],
      h: blocks,
      w: blocks,
    },
    adjust: (tile, spans) => {
      const crops = ['h', 'w'].map((letter): Span => {
        const [begin, end] = spans[letter]!;
        const skipped = begin - blocks([begin, end])[0] * size;
        return [skipped, skipped + end - begin];
      });
      const yields = tile.inputs[0]!.slice(2).map((span) => length(span) * size);
      if (crops.every((crop, i) => length(crop) === yields[i])) return tile;
      return { ...tile, crop: [[0, length(spans.n!)], [0, length(spans.c!)], ...crops] };
    },
  });
};

const spaceToDepth: Rule = (node) => {
  const size = int(node, 'blocksize')!;
  const rows = ([begin, end]: Span): Span => [begin * size, end * size];
  return byLetters(node, {
    inputs: ['nchw'],
    outputs: ['nchw'],
    whole: { c: 'the channels of a block lie far apart' },
    windows: { c: () => [0, node.inputs[0]!.shape[1]!], h: rows, w: rows },
  });
};

export const blockFamily: Family = { DepthToSpace: depthToSpace, SpaceToDepth: spaceToDepth };
