/** How an operator may be cut: the letters of its iteration space, and for a tile of it the exact regions it reads. */
import { CompileError } from '../error.ts';
import type { Attribute, Attributes, Combine, Literal, Tensor } from '../ir/program.ts';
import { length, type Region, type Span, wholeRegion } from '../ir/region.ts';

/**
 * - free: cut anywhere; tiles read disjoint parts of the inputs that have the letter
 * - window: cut anywhere; neighbouring tiles read overlapping parts (the halo)
 * - reduce: cutting leaves partials to be combined
 * - whole: never cut
 */
export type LetterKind = 'free' | 'window' | 'reduce' | 'whole';

export interface Letter {
  readonly kind: LetterKind;
  /** Extent: of the output's dimension, or of the input's where no output has the letter. */
  readonly size: number;
  /** Cuts lie at multiples of this (default 1). */
  readonly step?: number;
  /** Why it is `whole`, for people; set if and only if it is. */
  readonly reason?: string;
}

/** One span a letter. */
export type Spans = Readonly<Record<string, Span>>;

/** What the operator becomes on a tile. */
export interface Tile {
  /**
   * One an input of the operator: the region read (never empty), a constant in its place, or null: the optional input
   * is omitted. What {@link leavesOut} has no optional inputs: there null means left out, the inputs after it move up.
   * Fewer than the operator has: the rest are omitted. More: constants for optional inputs the operator does without.
   */
  readonly inputs: readonly (Region | Literal | null)[];
  /** Attributes that differ from the operator's, or that it does not have. */
  readonly attributes?: Attributes;
  /** See `Compute.crop`. */
  readonly crop?: Region;
  /** See `Compute.scale`. */
  readonly scale?: number;
}

export interface Cut {
  /** E.g. `nchw,ocyx->nohw`. */
  readonly notation: string;
  readonly letters: Readonly<Record<string, Letter>>;
  /** The letter of each dimension of each output; null for an omitted output. */
  readonly outputs: readonly (readonly string[] | null)[];
  /** Where an output's span is not the letter's span itself; never for the first output. */
  readonly makes?: Readonly<Record<string, WindowMap>>;
  /** How partials are combined; set if any letter is `reduce`. */
  readonly combine?: Combine;
  /** Multiply-adds of the whole operator, roughly: what it costs where nothing was measured. */
  readonly operations: number;
  /** @param spans one for every letter; not empty */
  tile(spans: Spans): Tile;
}

/** The operator runs on one device; the reason is for people. */
export interface Whole {
  readonly whole: string;
}

/** What a rule sees of an operand: always of known shape. */
export interface Operand {
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  /** The elements, where they are known when compiling and few. */
  readonly constant?: readonly number[];
}

/** What a rule sees of an operator. */
export interface Node {
  /** Unique name, for messages. */
  readonly name: string;
  readonly type: string;
  /** Version of the operator's domain the model asks for. */
  readonly opset: number;
  readonly attributes: Attributes;
  readonly inputs: readonly (Operand | null)[];
  readonly outputs: readonly (Operand | null)[];
}

export type Rule = (node: Node) => Cut | Whole;
/** Operator name as ONNX spells it → rule; one table a family. */
export type Family = Readonly<Record<string, Rule>>;

/** Operators that join any number of inputs. */
export const leavesOut = (type: string): boolean => type === 'Concat' || type === 'QLinearConcat';

export const isWhole = (cut: object): cut is Whole => 'whole' in cut;

/** How a letter's span maps to a span of operand number `operand`, in a dimension that has the letter. */
export type WindowMap = (span: Span, operand: number) => Span;

/** The region of output `index` that spans say. */
export const outputRegion = (cut: Pick<Cut, 'outputs' | 'makes'>, index: number, spans: Spans): Region =>
  cut.outputs[index]!.map((letter) => cut.makes?.[letter]?.(spans[letter]!, index) ?? spans[letter]!);

export interface LetterSpec {
  /**
   * Letters of each input's dimensions, one character each; null if the input is omitted, `*` if every tile reads all of
   * it. E.g. `['nchw', 'ocyx', 'o']`. By custom the letter `1` stands for dimensions of size 1.
   */
  readonly inputs: readonly (string | null)[];
  /** Letters of each output's dimensions; null if the output is omitted. */
  readonly outputs: readonly (string | null)[];
  /** Kind of the letters that are neither free nor whole. */
  readonly kinds?: Readonly<Record<string, Exclude<LetterKind, 'whole'>>>;
  /** The letters that are never cut, and why. */
  readonly whole?: Readonly<Record<string, string>>;
  /** Where an input's span is not the letter's span itself. */
  readonly windows?: Readonly<Record<string, WindowMap>>;
  /** Where an output's span is not the letter's span itself: the heads of a key cache under those of the queries. */
  readonly makes?: Readonly<Record<string, WindowMap>>;
  readonly steps?: Readonly<Record<string, number>>;
  /** Extents of letters that no output has and that count in the units of one of several inputs. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly combine?: Combine;
  /** Letters of the inputs alone of which each output element needs a few places, not all: they do not multiply the work. */
  readonly few?: string;
  /** Multiply-adds, where they are not the product of the first output's letters and of those that only inputs have. */
  readonly operations?: number;
  /** Changes the tile that the letters alone give: attributes, constants, inputs that only the first partial reads. */
  readonly adjust?: (tile: LettersTile, spans: Spans) => Tile;
}

/** The tile that the letters alone give. */
export interface LettersTile {
  readonly inputs: readonly (Region | null)[];
}

/** Letters and their sizes: the extent in the first output that has the letter, else the longest of the inputs' (the others are broadcast). */
function learnLetters(node: Node, spec: LetterSpec): Record<string, Letter> {
  const letters: Record<string, Letter> = {};
  const learn = (texts: readonly (string | null)[], operands: readonly (Operand | null)[]) => {
    const sizes: Record<string, number> = {};
    for (const [i, text] of texts.entries()) {
      if (text === null || text === '*') continue;
      for (const [j, letter] of [...text].entries()) {
        sizes[letter] = Math.max(sizes[letter] ?? 0, operands[i]!.shape[j]!);
      }
    }
    for (const [letter, size] of Object.entries(sizes))
      letters[letter] ??= letterOf(spec, letter, spec.sizes?.[letter] ?? size);
  };
  for (const [i, text] of spec.outputs.entries()) learn([text], [node.outputs[i]!]);
  learn(spec.inputs, node.inputs);
  return letters;
}

function letterOf(spec: LetterSpec, letter: string, size: number): Letter {
  const step = spec.steps?.[letter] ?? 1;
  const tooCoarse = step >= size && size > 1 ? `it could only be cut at multiples of ${step}` : undefined;
  const reason = spec.whole?.[letter] ?? tooCoarse;
  return reason === undefined ? { kind: spec.kinds?.[letter] ?? 'free', size, step } : { kind: 'whole', size, reason };
}

function operationsOf(spec: LetterSpec, letters: Readonly<Record<string, Letter>>): number {
  const first = spec.outputs.find((text) => text !== null) ?? '';
  const made = new Set(spec.outputs.flatMap((text) => [...(text ?? '')]));
  const counts = (letter: string) => first.includes(letter) || !(made.has(letter) || spec.few?.includes(letter));
  return Object.entries(letters).reduce((all, [letter, { size }]) => (counts(letter) ? all * size : all), 1);
}

/** The cut that the letters say. An input's dimension of size 1 under a longer letter is broadcast: read whole. */
export function byLetters(node: Node, spec: LetterSpec): Cut {
  const letters = learnLetters(node, spec);
  /** By input and dimension: what a tile reads. */
  const maps = spec.inputs.map((text, i): ((spans: Spans) => Span)[] | null => {
    if (text === null) return null;
    const whole = wholeRegion(node.inputs[i]!.shape);
    if (text === '*') return whole.map((all) => () => all);
    return [...text].map((letter, j) => {
      const window = spec.windows?.[letter];
      if (window) return (spans) => window(spans[letter]!, i);
      const all = whole[j]!;
      return length(all) === letters[letter]!.size ? (spans) => spans[letter]! : () => all;
    });
  });
  return {
    notation: `${spec.inputs.map((text) => text ?? '').join(',')}->${spec.outputs.map((text) => text ?? '').join(',')}`,
    letters,
    outputs: spec.outputs.map((text) => (text === null ? null : [...text])),
    ...(spec.combine ? { combine: spec.combine } : {}),
    ...(spec.makes ? { makes: spec.makes } : {}),
    operations: spec.operations ?? operationsOf(spec, letters),
    tile(spans) {
      const tile = { inputs: maps.map((dimensions) => dimensions?.map((map) => map(spans)) ?? null) };
      return spec.adjust ? spec.adjust(tile, spans) : tile;
    },
  };
}

export const whole = (reason: string): Whole => ({ whole: reason });

/** The reason where an input that is fed decides what the rule would have to know. */
export const atRunTime = (what: string): string => `${what} is only known at run time`;

/** `count` letters for the dimensions of a tensor, by custom where there is one. */
export function axisLetters(rank: number, taken = ''): string {
  const custom = ['', 'n', 'nc', 'ncw', 'nchw', 'ncdhw'][rank];
  if (custom !== undefined && ![...custom].some((letter) => taken.includes(letter))) return custom;
  return freshLetters(rank, taken);
}

/** `count` letters that are not in `taken`: a to z, then A to Z, then beyond. */
export function freshLetters(count: number, taken = ''): string {
  let letters = '';
  for (let code = 97; letters.length < count; code = code === 122 ? 65 : code === 90 ? 256 : code + 1) {
    const letter = String.fromCharCode(code);
    if (!taken.includes(letter)) letters += letter;
  }
  return letters;
}

/** The letters of an operand under numpy's broadcasting: the last dimensions of `letters`. */
export const rightAligned = (letters: string, rank: number): string => letters.slice(letters.length - rank);

/** The letters at `positions`, each with the same reason. */
export const wholeAt = (letters: string, positions: Iterable<number>, reason: string): Record<string, string> =>
  Object.fromEntries([...positions].map((position) => [letters[position]!, reason]));

/** A dimension's number counted from the front. */
export const fromFront = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** What a tile of output `index` yields: one extent a dimension. */
export const tileShape = (letters: string, spans: Spans): number[] =>
  [...letters].map((letter) => length(spans[letter]!));

/** Whether a span is the letter's whole extent. */
export const isWholeSpan = (cut: Pick<Cut, 'letters'>, letter: string, span: Span): boolean =>
  span[0] === 0 && span[1] === cut.letters[letter]!.size;

/** The region an operand has as a whole, for inputs that a tile reads whole. */
export const wholeOf = (operand: Operand | null | undefined): Region | null =>
  operand ? wholeRegion(operand.shape) : null;

/** Typed access to attributes; a wrong kind is the model's fault. */
function attribute<K extends Attribute['kind']>(node: Node, name: string, kind: K) {
  const found = node.attributes[name];
  if (found && found.kind !== kind) {
    throw new CompileError('attribute-kind', `attribute "${name}" of ${node.type} is ${found.kind}, ${kind} expected`, {
      at: [`node "${node.name}"`],
      hint: 'export the model again; onnx.checker names the fault too',
    });
  }
  return found as Extract<Attribute, { kind: K }> | undefined;
}
export const int = (node: Node, name: string): number | undefined => attribute(node, name, 'int')?.value;
export const float = (node: Node, name: string): number | undefined => attribute(node, name, 'float')?.value;
export const ints = (node: Node, name: string): readonly number[] | undefined => attribute(node, name, 'ints')?.value;
export const floats = (node: Node, name: string): readonly number[] | undefined =>
  attribute(node, name, 'floats')?.value;
export const string = (node: Node, name: string): string | undefined => attribute(node, name, 'string')?.value;

const sameElements = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);

/** Whether an operator has an attribute as it is given; of what only a graph says, never. */
function hasAttribute(node: Node, name: string, given: Attribute): boolean {
  const own = node.attributes[name];
  if (own?.kind !== given.kind || own.kind === 'proto' || given.kind === 'proto') return false;
  const [a, b] = [own.value, given.value];
  return typeof a === 'object' && typeof b === 'object' ? sameElements(a, b) : a === b;
}

/** The overrides that really differ from the node's attributes. */
export const changes = (node: Node, attributes: Attributes): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name, value]) => !hasAttribute(node, name, value)));

export const int64 = (data: readonly number[], shape: readonly number[] = [data.length]): Literal => ({
  kind: 'literal',
  dtype: 'int64',
  shape,
  data,
});
export const float32 = (data: readonly number[], shape: readonly number[] = [data.length]): Literal => ({
  kind: 'literal',
  dtype: 'float32',
  shape,
  data,
});
