/** How an operator may be cut: the letters of its iteration space, and for a tile of it the exact regions it reads. */
import { CompileError } from '../error.ts';
import type { Attribute, Attributes, Combine, Literal, Tensor } from '../ir/program.ts';
import { type Region, type Span, wholeRegion } from '../ir/region.ts';

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
}

/** One span a letter. */
export type Spans = Readonly<Record<string, Span>>;

/** What the operator becomes on a tile. */
export interface Tile {
  /** One an input of the operator: the region read, a constant in its place, or null if omitted. */
  readonly inputs: readonly (Region | Literal | null)[];
  /** Attributes that differ from the operator's. */
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
  /** How partials are combined; set if any letter is `reduce`. */
  readonly combine?: Combine;
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

export const isWhole = (cut: Cut | Whole): cut is Whole => 'whole' in cut;

/** How a window letter maps a span of the output to a span of one input's dimension. */
export type WindowMap = (span: Span) => Span;

export interface LetterSpec {
  /** Letters of each input's dimensions, one character each; null if the input is omitted. E.g. `['nchw', 'ocyx', 'o']`. */
  readonly inputs: readonly (string | null)[];
  /** Letters of each output's dimensions. */
  readonly outputs: readonly (string | null)[];
  /** Kind of the letters that are not free. */
  readonly kinds?: Readonly<Record<string, Exclude<LetterKind, 'free'>>>;
  readonly windows?: Readonly<Record<string, WindowMap>>;
  readonly steps?: Readonly<Record<string, number>>;
  readonly combine?: Combine;
  /** Changes the tile that the letters alone give: attributes, constants, inputs that only the first partial reads. */
  readonly adjust?: (tile: Tile, spans: Spans) => Tile;
}

/** The cut that the letters say. An input's dimension of size 1 under a longer letter is broadcast: read whole. */
export function byLetters(node: Node, spec: LetterSpec): Cut {
  const letters: Record<string, Letter> = {};
  const learn = (texts: readonly (string | null)[], operands: readonly (Operand | null)[]) => {
    const sizes: Record<string, number> = {};
    for (const [i, text] of texts.entries()) {
      for (const [j, letter] of [...(text ?? '')].entries()) {
        sizes[letter] = Math.max(sizes[letter] ?? 0, operands[i]!.shape[j]!);
      }
    }
    for (const [letter, size] of Object.entries(sizes)) {
      letters[letter] ??= { kind: spec.kinds?.[letter] ?? 'free', size, step: spec.steps?.[letter] ?? 1 };
    }
  };
  // A letter of an output has the output's extent; one of inputs alone the longest of theirs (the others are broadcast).
  learn(spec.outputs, node.outputs);
  learn(spec.inputs, node.inputs);
  const dimension = (letter: string, size: number, spans: Spans): Span => {
    const span = spans[letter]!;
    const map = spec.windows?.[letter];
    if (map) return map(span);
    return size === letters[letter]!.size ? span : [0, size];
  };
  return {
    notation: `${spec.inputs.map((text) => text ?? '').join(',')}->${spec.outputs.map((text) => text ?? '').join(',')}`,
    letters,
    outputs: spec.outputs.map((text) => (text === null ? null : [...text])),
    ...(spec.combine ? { combine: spec.combine } : {}),
    tile(spans) {
      const inputs = spec.inputs.map((text, i) =>
        text === null ? null : [...text].map((letter, j) => dimension(letter, node.inputs[i]!.shape[j]!, spans)),
      );
      const tile = { inputs };
      return spec.adjust ? spec.adjust(tile, spans) : tile;
    },
  };
}

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
export const string = (node: Node, name: string): string | undefined => attribute(node, name, 'string')?.value;

export const int64 = (data: readonly number[], shape: readonly number[] = [data.length]): Literal => ({
  kind: 'literal',
  dtype: 'int64',
  shape,
  data,
});
