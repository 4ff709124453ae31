/** Models can claim shapes that their operators never give, and attributes that no kernel takes: onnxruntime minds when it runs them. */
import type { Region, Span } from '../ir/region.ts';
import { type Cut, type Node, type Operand, outputRegion } from './rule.ts';

/** Whether all of the operator, as one tile, reads and makes regions that its tensors have. */
export function isConsistent({ inputs, outputs }: Node, cut: Cut): boolean {
  const letters = Object.entries(cut.letters);
  if (!letters.every(([, { size }]) => Number.isSafeInteger(size) && size >= 0)) return false;
  const spans = Object.fromEntries(letters.map(([letter, { size }]): [string, Span] => [letter, [0, size]]));
  const makes = cut.outputs.map((names, i) => names && outputRegion(cut, i, spans));
  const { inputs: reads } = cut.tile(spans);
  return (
    makes.every((region, i) => !region || isWithin(region, outputs[i])) &&
    reads.every((read, i) => read === null || 'kind' in read || isWithin(read, inputs[i]))
  );
}

const isWithin = (region: Region, operand: Operand | null | undefined): boolean =>
  operand?.shape.length === region.length &&
  region.every(([begin, end], axis) => begin >= 0 && begin < end && end <= operand.shape[axis]!);
