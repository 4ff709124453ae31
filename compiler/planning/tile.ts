/** One operator on one part of its iteration space: the operator that computes just that. */
import type { Compute, Literal, Partial, Program, Value } from '../ir/program.ts';
import { tensorOf } from '../ir/program.ts';
import { length, lengths, type Region, type Span } from '../ir/region.ts';
import { type Cut, isWholeSpan, leavesOut, type Tile } from '../operators/rule.ts';
import { outputRegion, type ResolvedPart } from './resolve.ts';

/** Written out, not spread: V8 gives every object that a spread adds something to a hidden class of its own, which makes all slow. */
export const valueAt = (tensor: string, region: Region, partial?: Partial): Value =>
  partial ? { kind: 'value', tensor, region, partial } : { kind: 'value', tensor, region };

/** What a tile reads of an input; a constant is cut there and then. */
function readOf(input: Value | Literal | null | undefined, read: Tile['inputs'][number]) {
  if (read === null || 'kind' in read) return read;
  if (!input) throw new Error('a tile reads an input that its operator does not have');
  return input.kind === 'literal' ? partOf(input, read) : valueAt(input.tensor, read);
}

/** Whether a tile reads all of an input; a constant in its place says the same. */
const isAll = (program: Program, { tensor }: Value, read: Tile['inputs'][number] | undefined) =>
  !read || 'kind' in read || read.every((span, axis) => length(span) === tensorOf(program, tensor).shape[axis]);

function partOf(literal: Literal, region: Region): Literal {
  const within = (at: number, [begin, end]: Span, axis: number) =>
    Array.from({ length: end - begin }, (_, i) => at * literal.shape[axis]! + begin + i);
  const places = region.reduce((all, span, axis) => all.flatMap((at) => within(at, span, axis)), [0]);
  return { ...literal, shape: lengths(region), data: places.map((place) => literal.data[place]!) };
}

/** The operator on one part, as the plan resolved it. */
export function tileOf(program: Program<'imported'>, operator: Compute, cut: Cut | null, part: ResolvedPart): Compute {
  const { device, spans, partial } = part;
  if (!cut || !spans) return { ...operator, device };
  const tile = cut.tile(spans);
  const isUncut = Object.keys(spans).every((letter) => isWholeSpan(cut, letter, spans[letter]!));
  // A Slice needs but a part of its input also where it is not cut.
  const needsAll = () =>
    operator.inputs.every((input, i) => input?.kind !== 'value' || isAll(program, input, tile.inputs[i]));
  if (isUncut && needsAll()) return { ...operator, device };
  // A tile may have inputs its operator leaves out: the axes of a Squeeze, which are no longer all of size 1.
  const inputs = tile.inputs.map((read, i) => readOf(operator.inputs[i], read));
  // Inputs that a tile does not touch are left out, the others move up.
  const kept = leavesOut(operator.type) ? inputs.filter((input) => input !== null) : inputs;
  const outputs = operator.outputs.map(
    (output, i) => output && valueAt(output.tensor, outputRegion(cut, i, spans), partial),
  );
  return {
    ...operator,
    device,
    inputs: kept,
    outputs,
    attributes: tile.attributes ? { ...operator.attributes, ...tile.attributes } : operator.attributes,
    ...(tile.crop ? { crop: tile.crop } : {}),
    ...(tile.scale === undefined ? {} : { scale: tile.scale }),
  };
}
