/** Slice: every dimension is free; a tile reads from where its part begins. */
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
  type Tile,
} from './rule.ts';

/** What is taken along one dimension: elements `start + i * step`. */
interface Taken {
  readonly start: number;
  readonly step: number;
}

interface Given {
  /** undefined, here and below: only known at run time. */
  readonly axes: readonly number[] | undefined;
  readonly starts: readonly number[] | undefined;
  readonly steps: readonly number[] | undefined;
}

/** Attributes before opset 10, inputs from then on. */
function given(node: Node): Given {
  const rank = node.inputs[0]!.shape.length;
  const old = node.opset < 10 && node.type === 'Slice';
  const count = old ? (ints(node, 'starts')?.length ?? 0) : node.inputs[1]!.shape[0]!;
  const absent = old ? !node.attributes.axes : !node.inputs[3];
  const axes = absent ? [...Array(count).keys()] : old ? ints(node, 'axes') : node.inputs[3]!.constant;
  return {
    axes: axes?.map((axis) => fromFront(axis, rank)),
    starts: old ? ints(node, 'starts') : node.inputs[1]!.constant,
    steps: old || !node.inputs[4] ? Array<number>(count).fill(1) : node.inputs[4].constant,
  };
}

/**
 * Why a dimension is not cut: where it is sliced is not known. One that keeps its size going forwards is passed on as it is,
 * whatever the starts and ends are, and so is each part of it.
 */
function doubts(node: Node, { axes, starts, steps }: Given): (string | undefined)[] {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const forwards = (i: number) => steps?.every((step, j) => step > 0 || (axes !== undefined && axes[j] !== i));
  return input.map((size, i) => {
    const named = !axes || axes.includes(i);
    const known = axes && starts && steps;
    return !named || known || (size === output[i] && forwards(i)) ? undefined : atRunTime('where it is sliced');
  });
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

/** DynamicSlice of old says the same in the same inputs. */
export const slice: Rule = (node) => {
  const { shape } = node.inputs[0]!;
  const letters = axisLetters(shape.length);
  const asked = given(node);
  const { axes, starts, steps } = asked;
  const reasons = doubts(node, asked);
  const taken = shape.map((size, i): Taken => {
    const at = axes && starts && steps ? axes.indexOf(i) : -1;
    return at < 0 ? { start: 0, step: 1 } : takenAt(size, starts![at]!, steps![at]!);
  });
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((input) => (input ? '*' : null))],
    outputs: [letters],
    whole: Object.fromEntries(reasons.flatMap((reason, i) => (reason ? [[letters[i]!, reason]] : []))),
    windows: Object.fromEntries(
      [...letters].map((letter, i) => [
        letter,
        (span: Span): Span => (reasons[i] ? [0, shape[i]!] : readBy(taken[i]!, span)),
      ]),
    ),
    adjust: (tile): Tile => {
      if (!axes || !starts || !steps) return tile;
      const sizes = axes.map((axis) => length(tile.inputs[0]![axis]!));
      const begins = axes.map((axis, i) => (taken[axis]!.step > 0 ? 0 : sizes[i]! - 1));
      // Backwards, the end lies before the first element: counted from the end, one beyond the front.
      const ends = axes.map((axis, i) => (taken[axis]!.step > 0 ? sizes[i]! : -sizes[i]! - 1));
      return node.opset < 10 && node.type === 'Slice'
        ? { ...tile, attributes: { starts: { kind: 'ints', value: begins }, ends: { kind: 'ints', value: ends } } }
        : { inputs: [tile.inputs[0]!, int64(begins), int64(ends), ...tile.inputs.slice(3)] };
    },
  });
};

export const sliceFamily: Family = { DynamicSlice: slice, Slice: slice };
