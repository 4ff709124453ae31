/**
 * QDQ models. Between DequantizeLinear and QuantizeLinear onnxruntime computes on bytes; a tile's result is the whole's only if
 * QuantizeLinear follows it directly, and only if it is not one of several addends: rounded, their sum may be a step off.
 */
import type { Compute } from '../ir/program.ts';
import { type Cut, isWhole, type Letter, type Whole } from '../operators/rule.ts';

/** Stand between an operator and QuantizeLinear: they cut off what would not fit into bytes, or move elements only. */
const BETWEEN: ReadonlySet<string> = new Set([
  'Clip',
  'Flatten',
  'Relu',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);

/** QuantizeLinear, and what stands between, by name: the operator whose result it takes. */
export function roundedOf(operators: Iterable<Compute>): ReadonlyMap<string, Compute> {
  const makers = new Map<string, Compute>();
  const rounded = new Map<string, Compute>();
  const follow = (operator: Compute): void => {
    const [input] = operator.inputs;
    const maker = input?.kind === 'value' ? makers.get(input.tensor) : undefined;
    if (!maker) return;
    rounded.set(operator.origin, maker);
    if (BETWEEN.has(maker.type)) follow(maker);
  };
  for (const operator of operators) {
    if (operator.type === 'QuantizeLinear') follow(operator);
    for (const output of operator.outputs) if (output) makers.set(output.tensor, operator);
  }
  return rounded;
}

/** The cut of an operator whose result is rounded; the largest of several is exact. */
export function withoutSums(cut: Cut | Whole): Cut | Whole {
  if (isWhole(cut) || (cut.combine !== 'sum' && cut.combine !== 'prod')) return cut;
  const { combine: _, ...rest } = cut;
  const letters = Object.entries(cut.letters).map(([name, letter]): [string, Letter] => [
    name,
    letter.kind === 'reduce' ? { ...letter, kind: 'whole', reason: 'its sum is rounded to few bits' } : letter,
  ]);
  return { ...rest, letters: Object.fromEntries(letters) };
}
