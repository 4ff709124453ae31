/** One operator on one part of its iteration space: the operator that computes just that. */
import type { Compute, Literal, Program, Value } from '../ir/program.ts';
import { tensorOf, wholeValue } from '../ir/program.ts';
import { type Cut, isWholeSpan, type Tile } from '../operators/rule.ts';
import { outputRegion, type ResolvedPart } from './resolve.ts';

/** A constant or an omitted input; a region needs an input to be a region of. */
function asLiteral(read: Tile['inputs'][number]): Literal | null {
  if (read === null || 'kind' in read) return read;
  throw new Error('a tile reads an input that its operator does not have');
}

/** The operator on one part, as the plan resolved it. */
export function tileOf(program: Program<'imported'>, operator: Compute, cut: Cut | null, part: ResolvedPart): Compute {
  const { device, spans, partial } = part;
  const whole = (value: Value) => wholeValue(tensorOf(program, value.tensor));
  const uncut = !cut || !spans || Object.entries(spans).every(([letter, span]) => isWholeSpan(cut, letter, span));
  if (uncut) return { ...operator, device };
  const tile = cut.tile(spans);
  // A tile may have inputs its operator leaves out: the axes of a Squeeze, which are no longer all of size 1.
  const inputs = tile.inputs.map((read, i): Compute['inputs'][number] => {
    const input = operator.inputs[i];
    return read === null || 'kind' in read || input?.kind !== 'value'
      ? asLiteral(read)
      : { ...whole(input), region: read };
  });
  // Concat has no optional inputs: those a tile does not touch are left out, the others move up.
  const kept = operator.type === 'Concat' ? inputs.filter((input) => input !== null) : inputs;
  const outputs = operator.outputs.map((output, i) =>
    output === null ? null : { ...whole(output), region: outputRegion(cut, i, spans), ...(partial ? { partial } : {}) },
  );
  return {
    ...operator,
    device,
    inputs: kept,
    outputs,
    attributes: { ...operator.attributes, ...tile.attributes },
    ...(tile.crop ? { crop: tile.crop } : {}),
    ...(tile.scale === undefined ? {} : { scale: tile.scale }),
  };
}
