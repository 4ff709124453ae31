/**
 * What an operator is to a clock: its type, what it reads, and sizes. Operators of one family differ in sizes alone, so that a
 * profile of one model answers for others, and the whole for its tiles.
 */
import { createHash } from 'node:crypto';
import type { Attribute, Compute, Literal, Operator, Program, Value } from '../../ir/program.ts';
import { isKnown, reads, tensorOf, writes } from '../../ir/program.ts';
import { length } from '../../ir/region.ts';
import { formatAttribute } from '../../ir/text.ts';
import { type Cut, isWhole } from '../../operators/rule.ts';
import { cutsOf } from '../cuts.ts';
import { valueBytes } from './roofline.ts';

/** Extents by letter. */
export type Sizes = Readonly<Record<string, number>>;

export interface Family {
  /** E.g. `Conv dilations=[1,1] kernel_shape=[3,3] strides=[1,1] (float32 nchw, float32 oc33 weight) -> float32 nohw`. */
  readonly key: string;
  /** null: the operator runs whole. */
  readonly cut: Cut | null;
  /** Of the whole operator: the letters that tiles differ in. */
  readonly sizes: Sizes;
  /** Multiply-adds of the whole operator; elements of its outputs where its rule says nothing. */
  readonly operations: number;
}

/** Where the padding lies tells tiles apart but hardly their time; groups show in what is read. */
const TIMELESS = new Set(['pads', 'auto_pad', 'group']);

function attributeText(attribute: Attribute): string {
  if (attribute.kind !== 'proto') return formatAttribute(attribute);
  return createHash('sha256').update(attribute.bytes).digest('hex').slice(0, 8);
}

/** `float32 nchw`: a dimension as the letter it follows, else its size; `1` where it is broadcast. */
function operandText(
  program: Program,
  value: Value | Literal | null,
  letters: readonly string[],
  sizes: Sizes,
): string {
  if (value === null) return 'none';
  if (value.kind === 'literal') return `${value.dtype} constant`;
  const tensor = tensorOf(program, value.tensor);
  const dimensions = tensor.shape.map((size, i) => {
    const letter = letters[i] ?? '';
    return letter in sizes && (size !== 1 || sizes[letter] === 1) ? letter : `${size ?? '?'}`;
  });
  const shape = dimensions.join(dimensions.every((text) => text.length === 1) ? '' : ',') || 'scalar';
  return `${tensor.dtype ?? 'opaque'} ${shape}${tensor.role === 'weight' ? ' weight' : ''}`;
}

/** `a, b`; `3× a` for three of the same. */
function operandsText(texts: readonly string[]): string {
  const runs: { text: string; times: number }[] = [];
  for (const text of texts) {
    const last = runs.at(-1);
    if (last?.text === text) last.times++;
    else runs.push({ text, times: 1 });
  }
  return runs.map(({ text, times }) => (times > 1 ? `${times}× ${text}` : text)).join(', ');
}

/** The letters of an operand's dimensions; those of inputs are written in the notation only. */
export function inputLetters({ notation }: Cut, index: number): readonly string[] {
  const text = notation.split('->')[0]!.split(',')[index] ?? '';
  return [...text];
}

/** Those of a letter that is never cut are sizes, as dimensions that no letter follows. */
function cutLetters(cut: Cut): Record<string, number> {
  const cuttable = Object.entries(cut.letters).filter(([, { kind }]) => kind !== 'whole');
  return Object.fromEntries(cuttable.map(([letter, { size }]): [string, number] => [letter, size]));
}

const elementsOf = (program: Program, { tensor }: Value): number =>
  tensorOf(program, tensor).shape.reduce<number>((all, size) => all * (size ?? 1), 1);

function describe(program: Program<'imported'>, operator: Compute): Family {
  const found = cutsOf(program).cuts.get(operator.origin);
  const cut = found && !isWhole(found) ? found : null;
  const sizes = cut ? cutLetters(cut) : {};
  const text = (value: Value | Literal | null, letters: readonly string[]) =>
    operandText(program, value, letters, sizes);
  const attributes = Object.entries(operator.attributes)
    .filter(([name]) => !cut || !TIMELESS.has(name))
    .map(([name, attribute]) => ` ${name}=${attributeText(attribute)}`)
    .sort();
  const inputs = operator.inputs.map((input, i) => text(input, cut ? inputLetters(cut, i) : []));
  const outputs = operator.outputs.map((output, i) => text(output, cut?.outputs[i] ?? []));
  const type = operator.domain ? `${operator.domain}.${operator.type}` : operator.type;
  return {
    key: `${type}${attributes.join('')} (${operandsText(inputs)}) -> ${outputs.join(', ')}`,
    cut,
    sizes,
    operations: cut?.operations ?? writes(operator).reduce((sum, value) => sum + elementsOf(program, value), 0),
  };
}

const known = new WeakMap<Compute, Family>();

/** The family of an operator of an imported program; computed once an operator. */
export function familyOf(program: Program<'imported'>, operator: Compute): Family {
  const family = known.get(operator) ?? describe(program, operator);
  known.set(operator, family);
  return family;
}

/** The extents of a tile: of its outputs, and of its inputs along what it sums over. */
export function sizesOf(family: Family, tile: Compute): Sizes {
  const { cut, sizes } = family;
  const first = tile.outputs.findIndex((output) => output !== null);
  const region = tile.outputs[first]?.region;
  if (!cut || !region) return sizes;
  const found: Record<string, number> = { ...sizes };
  for (const [i, letter] of cut.outputs[first]!.entries()) if (letter in found) found[letter] = length(region[i]!);
  if (!tile.outputs[first]!.partial) return found;
  for (const [i, input] of tile.inputs.entries()) {
    if (input?.kind !== 'value' || !input.region) continue;
    const letters = inputLetters(cut, i);
    for (const [j, span] of input.region.entries()) {
      const letter = letters[j];
      if (letter !== undefined && cut.letters[letter]?.kind === 'reduce') found[letter] = length(span);
    }
  }
  return found;
}

const product = (sizes: Sizes): number => Object.values(sizes).reduce((all, size) => all * size, 1);

/** Multiply-adds of a tile. */
export const workOf = (family: Family, sizes: Sizes): number =>
  (family.operations * product(sizes)) / Math.max(1, product(family.sizes));

/** Bytes that an operator reads and writes. */
export const trafficOf = (program: Program, operator: Operator): number =>
  [...reads(operator), ...writes(operator)].reduce((sum, value) => sum + valueBytes(program, value), 0);

/** Whether input `index` is read where the output is written, element by element: such an operator may follow in one kernel. */
export function isElementwise(program: Program, family: Family, operator: Compute, index: number): boolean {
  const { cut } = family;
  const [input, output] = [operator.inputs[index], operator.outputs[0]];
  if (!cut || input?.kind !== 'value' || !output || operator.outputs.length !== 1) return false;
  const [from, to] = [tensorOf(program, input.tensor).shape, tensorOf(program, output.tensor).shape];
  const letters = inputLetters(cut, index);
  const made = cut.outputs[0]!;
  return (
    isKnown(from) &&
    from.length === to.length &&
    from.every((size, i) => size === to[i] && letters[i] === made[i]) &&
    Object.entries(cut.letters).every(
      ([letter, { kind, size }]) => made.includes(letter) && (kind === 'free' || size === 1),
    )
  );
}
