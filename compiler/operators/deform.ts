/** Deformable convolution: rows and columns stay whole, channels are cut as its two kinds of groups allow. */
import type { Attributes } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import { byLetters, changes, type Family, int, type Node, type Rule, type Spans, type Tile, wholeAt } from './rule.ts';

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Groups share weights, offset groups share offsets; both lie side by side along the channels. */
interface Groups {
  readonly weights: number;
  readonly offsets: number;
  /** Parts that the channels can be cut into so that no group of either kind is torn. */
  readonly parts: number;
}

function groupsOf(node: Node): Groups {
  const [weights, offsets] = [int(node, 'group') ?? 1, int(node, 'offset_group') ?? 1];
  const parts = offsets === 1 ? weights : weights === 1 ? offsets : gcd(weights, offsets);
  return { weights, offsets, parts };
}

const REASONS = {
  ...wholeAt('yx', [0, 1], 'an offset may lead anywhere'),
  ...wholeAt('zv', [0, 1], 'every output needs the whole kernel'),
  ...wholeAt('hw', [0, 1], 'offsets are counted from each place in the whole picture'),
} as const;

/**
 * X [n,c,y,x], W [o,c,z,v], offsets [n,2k,h,w] an offset group, bias [o], mask [n,k,h,w] an offset group.
 * Without groups input channels are summed, with them they follow the output's.
 */
const deformable: Rule = (node) => {
  const [x, w] = [node.inputs[0]!.shape, node.inputs[1]!.shape];
  const groups = groupsOf(node);
  const sums = groups.weights === 1;
  const channel = sums ? 'c' : 'o';
  const own = sums ? x[1]! : w[0]!;
  const share = (size: number, [begin, end]: Span): Span => [(begin / own) * size, (end / own) * size];
  const offsets = groups.offsets === 1 ? 'm' : channel;
  const mask = groups.offsets === 1 ? 'k' : channel;
  const inputs = [`n${channel}yx`, sums ? 'oczv' : 'oizv', `n${offsets}hw`, 'o', `n${mask}hw`];
  const follows = [0, ...(groups.offsets === 1 ? [] : [2, 4])];
  return byLetters(node, {
    inputs: node.inputs.map((input, i) => (input ? inputs[i]! : null)),
    outputs: ['nohw'],
    whole: {
      ...REASONS,
      ...wholeAt('mk', [0, 1], 'all channels share their offsets'),
      i: 'every output needs all channels of its group',
    },
    ...(sums ? { kinds: { c: 'reduce' }, combine: 'sum', sizes: { c: own } } : {}),
    few: 'yxmk',
    ...(groups.parts > 1 || !sums ? { steps: { [channel]: own / groups.parts } } : {}),
    windows: {
      [channel]: (span, i) => (follows.includes(i) ? share(node.inputs[i]!.shape[1]!, span) : span),
    },
    adjust: (tile, spans) => adjusted(node, groups, tile.inputs, length(spans[channel]!) / own, spans),
  });
};

/** The groups of a tile, `share` of all; bias is added by the first partial. */
function adjusted(node: Node, groups: Groups, inputs: Tile['inputs'], share: number, { c }: Spans): Tile {
  const count = (value: number) => ({ kind: 'int', value: value === 1 ? 1 : value * share }) as const;
  const attributes: Attributes = {
    ...(node.attributes.group ? { group: count(groups.weights) } : {}),
    ...(node.attributes.offset_group ? { offset_group: count(groups.offsets) } : {}),
  };
  const later = groups.weights === 1 && c![0] > 0;
  return {
    inputs: later ? inputs.map((read, i) => (i === 3 ? null : read)) : inputs,
    attributes: changes(node, attributes),
  };
}

export const deformFamily: Family = { DeformConv: deformable };
