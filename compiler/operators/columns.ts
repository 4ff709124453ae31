/** Patches added into a picture: free by batch and channel; rows of patches overlap. */
import { length, type Span } from '../ir/region.ts';
import { type Spread, spreadTile } from './conv-transpose.ts';
import { atRunTime, axisLetters, byLetters, type Family, int64, ints, type Node, type Rule, wholeAt } from './rule.ts';
import { overlaps, reach } from './window.ts';

/** The first spatial dimension, in rows of patches; undefined where the patches' shape is only known at run time. */
function rowsOf(node: Node): Spread | undefined {
  const kernel = node.inputs[2]!.constant?.[0];
  if (kernel === undefined) return undefined;
  const output = node.outputs[0]!.shape[2]!;
  const pads = ints(node, 'pads') ?? [];
  const [padBegin, padEnd] = [pads[0] ?? 0, pads[pads.length / 2] ?? 0];
  const [stride, dilation] = [ints(node, 'strides')?.[0] ?? 1, ints(node, 'dilations')?.[0] ?? 1];
  const room = output + padBegin + padEnd - reach({ kernel, dilation });
  return { input: Math.floor(room / stride) + 1, output, kernel, stride, dilation, padBegin };
}

const MIXED = 'onnxruntime places dilated patches rightly in two dimensions only';

/** onnxruntime 1.30 mixes up channels and places of such patches: parts would come out right, not as the whole does. */
const isMixedUp = (node: Node) =>
  node.outputs[0]!.shape.length !== 4 && (ints(node, 'dilations') ?? []).some((dilation) => dilation > 1);

/** Columns [n, c*k, rows*l] of patches → picture [n,c,h,w]: the tile of some rows reads the rows of patches that reach them. */
const columnsToImage: Rule = (node) => {
  const [columns, picture] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(picture.length);
  const [n, c, h] = [letters[0]!, letters[1]!, letters[2]!];
  const kernel = columns[1]! / picture[1]!;
  const rows = rowsOf(node);
  const perRow = rows && columns[2]! / rows.input;
  const read = (span: Span): Span => {
    if (!rows) return [0, columns[2]!];
    const [first, last] = spreadTile(rows, span).read;
    return [first * perRow!, last * perRow!];
  };
  return byLetters(node, {
    inputs: [`${n}${c}${h}`, '*', '*'],
    outputs: [letters],
    ...(rows && overlaps(rows) ? { kinds: { [h]: 'window' } } : {}),
    whole: {
      ...(rows ? {} : { [h]: atRunTime('the shape of its patches') }),
      ...(isMixedUp(node) ? { [c]: MIXED, [h]: MIXED } : {}),
      ...wholeAt(
        letters,
        [...letters].map((_, i) => i).slice(3),
        'the patches of a column lie far apart in their list',
      ),
    },
    windows: { [c]: ([begin, end]): Span => [begin * kernel, end * kernel], [h]: read },
    adjust: (tile, spans) => {
      const inputs = [tile.inputs[0]!, int64([length(spans[h]!), ...picture.slice(3)]), tile.inputs[2]!];
      if (!rows) return { ...tile, inputs };
      const { pads } = spreadTile(rows, spans[h]!);
      const given = ints(node, 'pads') ?? picture.slice(2).flatMap(() => [0, 0]);
      const half = given.length / 2;
      const value = given.map((pad, i) => (i === 0 ? pads[0] : i === half ? pads[1] : pad));
      return { inputs, attributes: { pads: { kind: 'ints', value } } };
    },
  });
};

export const columnFamily: Family = { Col2Im: columnsToImage };
