/** Views: the same elements in the same order under another shape. */
import { length, type Span } from '../ir/region.ts';
import {
  axisLetters,
  type Cut,
  type Family,
  freshLetters,
  int64,
  ints,
  type Letter,
  type Node,
  type Rule,
  type Spans,
  type Tile,
  type Whole,
  whole,
  wholeOf,
} from './rule.ts';

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Runs of input and output dimensions that hold the same elements. Dimensions of size 1 belong to none. */
export interface Group {
  readonly input: readonly number[];
  readonly output: readonly number[];
}

/** The finest groups: each closes as soon as both sides have the same product. */
export function groupsOf(input: readonly number[], output: readonly number[]): Group[] {
  const dimensions = (shape: readonly number[]) => [...shape.keys()].filter((i) => shape[i] !== 1);
  const [left, right] = [dimensions(input), dimensions(output)];
  const groups: Group[] = [];
  while (left.length > 0 && right.length > 0) {
    const group = { input: [left.shift()!], output: [right.shift()!] };
    const size = (of: readonly number[], shape: readonly number[]) => product(of.map((i) => shape[i]!));
    while (size(group.input, input) !== size(group.output, output)) {
      if (size(group.input, input) < size(group.output, output)) group.input.push(left.shift()!);
      else group.output.push(right.shift()!);
    }
    groups.push(group);
  }
  return groups;
}

/** A span of a group's first output dimension → the span of its first input dimension; legal at multiples of `step`. */
function leading(group: Group, input: readonly number[], output: readonly number[]) {
  const inner = (dimensions: readonly number[], shape: readonly number[]) =>
    product(dimensions.slice(1).map((i) => shape[i]!));
  const [from, to] = [inner(group.input, input), inner(group.output, output)];
  return {
    step: from / gcd(from, to),
    map: ([begin, end]: Span): Span => [(begin * to) / from, (end * to) / from],
  };
}

/** Cuts the first dimension of every group; `finish` tells the tile what the operator itself must be told. */
export function viewCut(node: Node, finish: (tile: Tile, shape: readonly number[]) => Tile): Cut | Whole {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  if (product(output) === 0) return whole('its output is empty');
  const groups = groupsOf(input, output).map((group) => ({ ...group, ...leading(group, input, output) }));
  const names = axisLetters(output.length);
  const letters: Record<string, Letter> = {};
  for (const [i, size] of output.entries()) {
    const step = size === 1 ? 1 : groups.find((group) => group.output[0] === i)?.step;
    if (step === undefined) {
      letters[names[i]!] = { kind: 'whole', size, reason: 'an inner dimension of several that are reshaped together' };
    } else if (step >= size && size > 1) {
      letters[names[i]!] = { kind: 'whole', size, reason: `it could only be cut at multiples of ${step}` };
    } else letters[names[i]!] = { kind: 'free', size, step };
  }
  const read = (spans: Spans) =>
    input.map((size, i): Span => {
      const group = groups.find((candidate) => candidate.input[0] === i);
      return group ? group.map(spans[names[group.output[0]!]!]!) : [0, size];
    });
  return {
    notation: viewNotation(groups, input, output, names),
    letters,
    operations: product(output),
    outputs: [[...names]],
    tile: (spans) =>
      finish(
        { inputs: [read(spans), ...node.inputs.slice(1).map(wholeOf)] },
        [...names].map((name) => length(spans[name]!)),
      ),
  };
}

/** `n(ca)1->nc`: dimensions in brackets are reshaped together, only the first of them can be cut. */
function viewNotation(groups: readonly Group[], input: readonly number[], output: readonly number[], names: string) {
  let others = freshLetters(input.length, names);
  const side = (shape: readonly number[], pick: (group: Group) => readonly number[], name: (i: number) => string) =>
    [...shape.keys()]
      .map((i) => {
        const run = groups.map(pick).find((candidate) => candidate.includes(i)) ?? [i];
        const [open, close] = run.length > 1 ? [run[0] === i ? '(' : '', run.at(-1) === i ? ')' : ''] : ['', ''];
        return `${open}${name(i)}${close}`;
      })
      .join('');
  const inputName = (i: number) => {
    const group = groups.find((candidate) => candidate.input[0] === i);
    if (group) return names[group.output[0]!]!;
    if (input[i] === 1) return '1';
    const letter = others[0]!;
    others = others.slice(1);
    return letter;
  };
  return `${side(input, (group) => group.input, inputName)}->${side(
    output,
    (group) => group.output,
    (i) => names[i]!,
  )}`;
}

/** The tile's shape is a constant; before opset 5 an attribute. */
const reshape: Rule = (node) =>
  viewCut(node, (tile, shape) =>
    node.opset < 5
      ? { ...tile, attributes: { shape: { kind: 'ints', value: shape } } }
      : { inputs: [tile.inputs[0]!, int64(shape)] },
  );

/** Both sides of the axis are products of what the tile has: nothing to tell. */
const flatten: Rule = (node) => viewCut(node, (tile) => tile);

/** Without axes every dimension of size 1 goes, so a tile one row high would lose its rows: the tile names the axes. */
const squeeze: Rule = (node) => {
  const input = node.inputs[0]!.shape;
  const given = node.opset < 13 ? ints(node, 'axes') : node.inputs[1];
  if (given) return viewCut(node, (tile) => tile);
  const ones = [...input.keys()].filter((i) => input[i] === 1);
  if (ones.length === 0) return whole('it names no axes, so a tile of one row would lose its rows');
  return viewCut(node, (tile) => {
    if (node.opset < 13) return { ...tile, attributes: { axes: { kind: 'ints', value: ones } } };
    return { inputs: [tile.inputs[0]!, int64(ones)] };
  });
};

/** The tile's extents say all. */
export const unsqueeze: Rule = (node) => viewCut(node, (tile) => tile);

export const shapeFamily: Family = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
};
