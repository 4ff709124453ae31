/** A plan that cuts every operator into a part for each device, along one of its letters; which one differs from operator to operator. */
import type { Cluster } from '../../compiler/cluster/cluster.ts';
import type { Compute, Program } from '../../compiler/ir/program.ts';
import { isKnown, tensorOf } from '../../compiler/ir/program.ts';
import { formatRegion, type Span } from '../../compiler/ir/region.ts';
import { type Cut, isWhole, type Letter } from '../../compiler/operators/rule.ts';
import { cutsOf, isCuttable } from '../../compiler/planning/cuts.ts';
import type { Plan, PlanPart } from '../../compiler/planning/plan.ts';
import { channelLetter } from '../../compiler/planning/policies/tensor-parallel.ts';
import { primaryLetters } from '../../compiler/planning/resolve.ts';
import { roundedOf } from '../../compiler/planning/rounded.ts';
import { togetherOf } from '../../compiler/planning/together.ts';

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

const pieces = ({ size, step = 1 }: Letter): number => Math.ceil(size / step);

/** As even as the letter's step allows. */
function spansOf(letter: Letter, parts: number): Span[] {
  const { size, step = 1 } = letter;
  const border = (i: number) => Math.min(size, step * Math.floor((pieces(letter) * i) / parts));
  return Array.from({ length: parts }, (_, i): Span => [border(i), border(i + 1)]);
}

/** Letters a plan can cut at least once. */
const choices = (cut: Cut): string[] =>
  Object.entries(cut.letters).flatMap(([name, letter]) => {
    const reachable = letter.kind === 'reduce' || (letter.kind !== 'whole' && primaryLetters(cut).includes(name));
    return reachable && pieces(letter) > 1 ? [name] : [];
  });

/** Picks one of the letters an operator can be cut along. */
export type Prefer = (cut: Cut, letters: readonly string[]) => string | undefined;

/** Output channels, hidden units, heads. */
export const channels: Prefer = (cut, letters) => {
  const wanted = channelLetter(cut);
  return letters.find((letter) => letter === wanted);
};

/** The dimension that has one place a head, wherever the operator has it. */
export const heads =
  (count: number): Prefer =>
  (cut, letters) =>
    letters.find((letter) => cut.letters[letter]!.size === count && cut.letters[letter]!.kind === 'free') ??
    channels(cut, letters);

/** What is summed up. */
export const reductions: Prefer = (cut, letters) => letters.find((letter) => cut.letters[letter]!.kind === 'reduce');

/**
 * @param turn picks other letters and devices, as long as there are others
 * @param prefer has the first word on letters
 */
export function splitEverything(
  program: Program<'imported'>,
  cluster: Cluster,
  turn: number,
  prefer: Prefer = () => undefined,
): Plan {
  const { operators, cuts, onDemand } = cutsOf(program);
  const devices = cluster.devices.map(({ name }) => name);
  const groupOf = togetherOf(program);
  const rounded = roundedOf(operators.values());
  const plans = new Map<string, Plan['operators'][string]>();
  const shapeOf = (operator: Compute) =>
    tensorOf(program, operator.outputs.find((output) => output !== null)!.tensor).shape;
  /** Parts of the operator whose result this one rounds: onnxruntime does both at once. */
  const partsBefore = (operator: Compute): PlanPart[] | undefined => {
    const maker = rounded.get(operator.origin);
    const parts = maker && plans.get(maker.origin);
    if (typeof parts !== 'object') return undefined;
    const same = `${shapeOf(operator)}` === `${shapeOf(maker!)}` && parts.every(({ reduce }) => !reduce);
    return same && isCuttable(cuts.get(operator.origin)!) ? parts : undefined;
  };
  const place = (operator: Compute): Plan['operators'][string] => {
    const { origin } = operator;
    const before = partsBefore(operator);
    if (before) return before;
    const cut = cuts.get(origin)!;
    const shape = shapeOf(operator);
    const device = (i: number) => devices[(hash(groupOf(origin)) + turn + i) % devices.length]!;
    const letters = isWhole(cut) || !isKnown(shape) ? [] : choices(cut);
    if (isWhole(cut) || letters.length === 0) return device(0);
    const long = letters.filter((name) => pieces(cut.letters[name]!) >= devices.length);
    const among = long.length > 0 ? long : letters;
    const name = prefer(cut, among) ?? among[(hash(`${program.name} ${origin}`) + turn) % among.length]!;
    return partsAlong(cut, name, shape as readonly number[], devices.length).map((part, i) => ({
      device: device(i),
      ...part,
    }));
  };
  for (const operator of operators.values()) {
    if (!onDemand.has(operator.origin)) plans.set(operator.origin, place(operator));
  }
  return {
    format: 1,
    model: program.name,
    policy: `split-everything ${turn}`,
    operators: Object.fromEntries(plans),
  };
}

function partsAlong(cut: Cut, name: string, shape: readonly number[], most: number): Omit<PlanPart, 'device'>[] {
  const letter = cut.letters[name]!;
  const axis = primaryLetters(cut).indexOf(name);
  return spansOf(letter, Math.min(most, pieces(letter))).map((span) => {
    if (axis < 0) return { reduce: { [name]: span.join(':') } };
    const region = shape.map((size, i): Span => (i === axis ? span : [0, size]));
    return { region: formatRegion(region, shape) };
  });
}
