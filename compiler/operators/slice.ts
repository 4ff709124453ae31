/** Slice: every dimension is free; a tile reads from where its part begins. */
import { length, type Span } from '../ir/region.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  fromFront,
  int64,
  ints,
  type Node,
  type Rule,
  type Tile,
  whole,
} from './rule.ts';

/** What is taken along one dimension: elements `start + i * step`. */
interface Taken {
  readonly start: number;
  readonly step: number;
}

interface Given {
  readonly axes: readonly number[];
  /** undefined: computed. */
  readonly starts: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

/** Attributes before opset 10, inputs from then on; undefined where even the axes are computed. */
function given(node: Node): Given | undefined {
  const rank = node.inputs[0]!.shape.length;
  const old = node.opset < 10;
  const count = old ? (ints(node, 'starts')?.length ?? 0) : node.inputs[1]!.shape[0]!;
  const named = old ? ints(node, 'axes') : node.inputs[3]?.constant;
  if (!old && node.inputs[3] && !named) return undefined;
  return {
    axes: (named ?? [...Array(count).keys()]).map((axis) => fromFront(axis, rank)),
    starts: old ? ints(node, 'starts') : node.inputs[1]!.constant,
    steps: old || !node.inputs[4] ? Array<number>(count).fill(1) : node.inputs[4].constant,
  };
}

/** Starts are counted from the end if negative, and held inside the tensor. */
function takenAt(size: number, start: number, step: number): Taken {
  const counted = start < 0 ? start + size : start;
  return { start: Math.min(Math.max(counted, 0), step > 0 ? size : size - 1), step };
}

const readBy = ({ start, step }: Taken, [begin, end]: Span): Span => {
  const [first, last] = [start + begin * step, start + (end - 1) * step];
  return step > 0 ? [first, last + 1] : [last, first + 1];
};

const slice: Rule = (node) => {
  const { shape } = node.inputs[0]!;
  const letters = axisLetters(shape.length);
  const known = given(node);
  if (!known) return whole('its axes are computed');
  const { axes, starts, steps } = known;
  const computed = !starts || !steps;
  const taken = shape.map((size, i): Taken => {
    const at = computed ? -1 : axes.indexOf(i);
    return at < 0 ? { start: 0, step: 1 } : takenAt(size, starts![at]!, steps![at]!);
  });
  const reason = (i: number) => (computed && axes.includes(i) ? 'where it is sliced is computed' : undefined);
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: Object.fromEntries(
      [...letters].flatMap((letter, i) => [reason(i)].flatMap((text) => (text ? [[letter, text]] : []))),
    ),
    windows: Object.fromEntries(
      [...letters].map((letter, i) => [
        letter,
        (span: Span): Span => (reason(i) ? [0, shape[i]!] : readBy(taken[i]!, span)),
      ]),
    ),
    adjust: (tile): Tile => {
      if (computed) return tile;
      const sizes = axes.map((axis) => length(tile.inputs[0]![axis]!));
      const begins = axes.map((axis, i) => (taken[axis]!.step > 0 ? 0 : sizes[i]! - 1));
      // Backwards, the end lies before the first element: counted from the end, one beyond the front.
      const ends = axes.map((axis, i) => (taken[axis]!.step > 0 ? sizes[i]! : -sizes[i]! - 1));
      return node.opset < 10
        ? { ...tile, attributes: { starts: { kind: 'ints', value: begins }, ends: { kind: 'ints', value: ends } } }
        : { inputs: [tile.inputs[0]!, int64(begins), int64(ends), ...tile.inputs.slice(3)] };
    },
  });
};

export const sliceFamily: Family = { Slice: slice };
