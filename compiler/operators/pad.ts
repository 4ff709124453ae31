/** Pad: only tiles at a true border are padded, with what the whole would be padded with there. */
import { length, type Span } from '../ir/region.ts';
import {
  atRunTime,
  axisLetters,
  byLetters,
  type Family,
  fromFront,
  int64,
  ints,
  type Node,
  type Rule,
  string,
  type Tile,
  wholeAt,
} from './rule.ts';

/** One dimension: the input's size, and what is added before and after it (negative: taken away). */
interface Side {
  readonly input: number;
  readonly before: number;
  readonly after: number;
}

/** What a span of the output reads, its own padding, and what of the tile's output is kept. */
interface PadTile {
  readonly read: Span;
  readonly pads: readonly [low: number, high: number];
  readonly keep: Span;
}

/**
 * Reflected padding copies what lies beyond the border element, wrapped padding the far end: then a tile reads everything.
 * A tile of padding alone still needs one element to run on.
 */
function padTile(mode: string, { input, before }: Side, [begin, end]: Span): PadTile {
  const [from, to] = [begin - before, end - before];
  const [low, high] = [Math.max(0, -from), Math.max(0, to - input)];
  const beyond = mode === 'reflect' ? 1 : 0;
  const needed: Span = [
    low > 0 ? 0 : high > 0 ? Math.max(0, Math.min(from, input - 1 - beyond * high)) : from,
    high > 0 ? input : low > 0 ? Math.min(input, Math.max(to, 1 + beyond * low)) : to,
  ];
  const read: Span = mode === 'wrap' && low + high > 0 ? [0, input] : needed;
  const skipped = from - read[0] + low;
  return { read, pads: [low, high], keep: [skipped, skipped + end - begin] };
}

/** The dimensions that are padded: opset 18 names them. undefined: only known at run time. */
function axesOf(node: Node): readonly number[] | undefined {
  const { shape } = node.inputs[0]!;
  const named = node.inputs[3] ? node.inputs[3].constant : [...shape.keys()];
  return named?.map((axis) => fromFront(axis, shape.length));
}

/** The padding of every dimension; opset 1 called it `paddings`. undefined: only known at run time. */
function sidesOf(node: Node): readonly Side[] | undefined {
  const { shape } = node.inputs[0]!;
  const given = node.opset < 11 ? (ints(node, 'pads') ?? ints(node, 'paddings')) : node.inputs[1]?.constant;
  const axes = axesOf(node);
  if (!given || !axes) return undefined;
  return shape.map((input, i) => {
    const at = axes.indexOf(i);
    return at < 0 ? { input, before: 0, after: 0 } : { input, before: given[at]!, after: given[at + axes.length]! };
  });
}

/** Why a dimension with this padding is never cut. */
function doubt(mode: string, { input, before, after }: Side): string | undefined {
  if (mode !== 'reflect' && mode !== 'wrap') return undefined;
  if (Math.min(before, after) < 0) return `${mode} after taking elements away`;
  const most = mode === 'reflect' ? input - 1 : input;
  return Math.max(before, after) > most ? `${mode} goes round more than once` : undefined;
}

/** Only the dimensions that are not padded are cut. */
function padUnknown(node: Node) {
  const { shape } = node.inputs[0]!;
  const letters = axisLetters(shape.length);
  const axes = axesOf(node) ?? [...shape.keys()];
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: wholeAt(letters, axes, atRunTime('how much padding lies before it')),
    windows: Object.fromEntries(axes.map((i) => [letters[i]!, (): Span => [0, shape[i]!]])),
  });
}

export const pad: Rule = (node) => {
  const mode = string(node, 'mode') ?? 'constant';
  const sides = sidesOf(node);
  if (!sides) return padUnknown(node);
  const letters = axisLetters(sides.length);
  const each = <T>(value: (side: Side) => T | undefined): Record<string, T> =>
    Object.fromEntries(
      sides.flatMap((side, i) => [value(side)].flatMap((v) => (v === undefined ? [] : [[letters[i]!, v]]))),
    );
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    kinds: each(({ before, after }) => (mode !== 'constant' && Math.max(before, after) > 0 ? 'window' : undefined)),
    whole: each((side) => doubt(mode, side)),
    windows: each((side) => (span: Span) => padTile(mode, side, span).read),
    adjust: (tile, spans): Tile => {
      const tiles = sides.map((side, i) => padTile(mode, side, spans[letters[i]!]!));
      const pads = [...tiles.map((one) => one.pads[0]), ...tiles.map((one) => one.pads[1])];
      const told: Tile =
        node.opset < 11
          ? { ...tile, attributes: { [ints(node, 'pads') ? 'pads' : 'paddings']: { kind: 'ints', value: pads } } }
          : { inputs: [tile.inputs[0]!, int64(pads), ...(node.inputs[2] ? [tile.inputs[2]!] : [])] };
      const kept = tiles.every(({ read, pads: [low, high], keep }) => length(keep) === low + length(read) + high);
      return kept ? told : { ...told, crop: tiles.map((one) => one.keep) };
    },
  });
};

export const padFamily: Family = { Pad: pad };
