/** How much memory sessions touch, and figures that depend on how much of it caches have forgotten. */
import type { Program, Value } from '../../ir/program.ts';
import { reads, tensorOf, valueKey, writes } from '../../ir/program.ts';
import type { Segment } from '../schedule.ts';
import type { Work } from './device-costs.ts';
import { valueBytes } from './roofline.ts';

const isWeight = (program: Program, { tensor }: Value): boolean => tensorOf(program, tensor).role === 'weight';
/** Each value once. */
const distinct = (values: readonly Value[]): Value[] => [
  ...new Map(values.map((value) => [valueKey(value), value])).values(),
];
const sum = (program: Program, values: readonly Value[]): number =>
  values.reduce((bytes, value) => bytes + valueBytes(program, value), 0);

/** Bytes that a session touches for the first time: its inputs, and the most that it holds at once of what it makes. */
export function touchedBytes(program: Program, { operators, inputs, outputs }: Segment): number {
  const last = new Map<string, number>();
  for (const [i, operator] of operators.entries()) {
    for (const value of [...reads(operator), ...writes(operator)]) last.set(valueKey(value), i);
  }
  for (const value of outputs) last.set(valueKey(value), operators.length);
  const made = new Set<string>();
  let now = 0;
  let peak = 0;
  for (const [i, operator] of operators.entries()) {
    for (const value of writes(operator)) made.add(valueKey(value));
    now += sum(program, writes(operator));
    peak = Math.max(peak, now);
    const done = distinct([...reads(operator), ...writes(operator)]).filter((value) => last.get(valueKey(value)) === i);
    now -= sum(
      program,
      done.filter((value) => made.has(valueKey(value))),
    );
  }
  const given = inputs.filter((value) => !isWeight(program, value));
  return sum(program, given) + peak;
}

/** Bytes of the weights that operators read, each once, and of all that they make. */
export function footprint(program: Program, operators: readonly Work[]): { weights: number; made: number } {
  const weights = distinct(operators.flatMap(reads)).filter((value) => isWeight(program, value));
  return { weights: sum(program, weights), made: sum(program, operators.flatMap(writes)) };
}

/** Measured where so many bytes of other memory were touched in between. */
interface Level {
  readonly touched: number;
}

/** A figure after `bytes` of other memory: as they grow, between the measured levels by their logarithm. */
export function after<T extends Level>(levels: readonly T[], bytes: number, figure: (level: T) => number): number {
  const next = levels.findIndex(({ touched }) => touched >= bytes);
  if (next < 0) return figure(levels.at(-1)!);
  const upper = levels[next]!;
  const lower = levels[next - 1];
  if (!lower) return figure(upper);
  // Up to the first level above nothing, the core's own caches are enough.
  const share =
    lower.touched === 0
      ? bytes / upper.touched
      : Math.log(bytes / lower.touched) / Math.log(upper.touched / lower.touched);
  return figure(lower) + share * (figure(upper) - figure(lower));
}
