/** Poolings: batch and channels are free, rows and columns windows; global poolings reduce them. */
import type { Attributes } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import {
  byLetters,
  type Cut,
  type Family,
  int,
  ints,
  isWhole,
  type Node,
  type Rule,
  type Whole,
  whole,
} from './rule.ts';
import { overlaps, type SlideTile, slideAttributes, slideCrop, slidesOf, slideTile, spatialLetters } from './window.ts';

export const pool: Rule = (node): Cut | Whole => {
  if (node.outputs[1]) return whole('its second output counts positions in the whole input');
  const [x, y] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const rank = x.length - 2;
  if (rank < 1 || rank > 3) return whole(`a pooling over ${rank} dimensions is not split`);
  const slides = slidesOf(node, { input: x.slice(2), output: y.slice(2), kernel: ints(node, 'kernel_shape')! });
  if (isWhole(slides)) return slides;
  const h = spatialLetters(rank);
  return byLetters(node, {
    inputs: [`nc${h}`, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [`nc${h}`],
    kinds: Object.fromEntries(slides.flatMap((slide, i) => (overlaps(slide) ? [[h[i]!, 'window' as const]] : []))),
    windows: Object.fromEntries(slides.map((slide, i) => [h[i]!, (span: Span) => slideTile(slide, span).read])),
    adjust: (tile, spans) => {
      const tiles = slides.map((slide, i) => slideTile(slide, spans[h[i]!]!));
      return {
        ...tile,
        attributes: { ...slideAttributes(node, tiles), ...ceilAttribute(node, tiles) },
        ...slideCrop([length(spans.n!), length(spans.c!)], tiles),
      };
    },
  });
};

/** Of the tiles of a pooling in ceil_mode only those at the far border need it. */
function ceilAttribute(node: Node, tiles: readonly SlideTile[]): Attributes {
  const ceil = tiles.some((tile) => tile.overhangs) ? 1 : 0;
  return ceil === (int(node, 'ceil_mode') ?? 0) ? {} : { ceil_mode: { kind: 'int', value: ceil } };
}

/** `sum`: a part's mean weighs as much as its share of the elements. */
export const globalPool =
  (combine: (node: Node) => 'sum' | 'max' | null, reason = 'roots cannot be added up'): Rule =>
  (node) => {
    const x = node.inputs[0]!.shape;
    const rank = x.length - 2;
    if (rank < 0 || rank > 3) return whole(`a pooling over ${rank} dimensions is not split`);
    const h = spatialLetters(rank);
    const kind = combine(node);
    return byLetters(node, {
      inputs: [`nc${h}`, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
      outputs: [`nc${'1'.repeat(rank)}`],
      ...(kind ? { combine: kind, kinds: Object.fromEntries([...h].map((letter) => [letter, 'reduce'])) } : {}),
      ...(kind ? {} : { whole: Object.fromEntries([...h].map((letter) => [letter, reason])) }),
      adjust: (tile, spans) => {
        const share = [...h].reduce((product, letter, i) => (product * length(spans[letter]!)) / x[i + 2]!, 1);
        return kind === 'sum' && share !== 1 && node.type === 'GlobalAveragePool' ? { ...tile, scale: share } : tile;
      },
    });
  };

export const poolFamily: Family = {
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool(
    ({ opset }) => (opset < 7 ? null : 'sum'),
    'onnxruntime cannot weigh parts before opset 7',
  ),
  GlobalMaxPool: globalPool(() => 'max'),
  GlobalLpPool: globalPool((node) => ((int(node, 'p') ?? 2) === 1 ? 'sum' : null)),
};
