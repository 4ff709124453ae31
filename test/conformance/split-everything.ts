/** A plan that cuts every operator into a part for each device, along one of its letters; which one differs from operator to operator. */
import type { Cluster } from '../../compiler/cluster/cluster.ts';
import type { Compute, Program } from '../../compiler/ir/program.ts';
import { isKnown, reads, tensorOf, writes } from '../../compiler/ir/program.ts';
import { formatRegion, type Span } from '../../compiler/ir/region.ts';
import { type Cut, isWhole, type Letter, type Whole } from '../../compiler/operators/rule.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import type { Plan, PlanPart } from '../../compiler/planning/plan.ts';
import { primaryLetters } from '../../compiler/planning/resolve.ts';

export interface Reason {
  readonly operator: string;
  readonly type: string;
  readonly reason: string;
}

export interface EverythingSplit {
  readonly plan: Plan;
  /** Operators that run whole, and why. */
  readonly whole: readonly Reason[];
}

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

function whyWhole(cut: Cut | Whole): string {
  if (isWhole(cut)) return cut.whole;
  const letters = Object.entries(cut.letters);
  if (letters.every(([, { size }]) => size === 1)) return 'a single element';
  const byReason = new Map<string, string>();
  for (const [name, { size, reason }] of letters) {
    const why = size === 1 ? 'of size 1' : (reason ?? 'no plan can say it');
    byReason.set(why, (byReason.get(why) ?? '') + name);
  }
  return `${cut.notation}, ${[...byReason].map(([reason, names]) => `${names}: ${reason}`).join('; ')}`;
}

/** onnxruntime computed all there is to compute when it simplified the model. */
const nothing = ({ name }: Program): Reason => ({
  operator: name,
  type: 'model',
  reason: 'no operator is left once constants are folded',
});

/** Operators that share values which cannot leave a device, each with a representative of its group. */
function groupsOf(program: Program, operators: Iterable<Compute>): (operator: string) => string {
  const parents = new Map<string, string>();
  const find = (name: string): string => {
    const parent = parents.get(name) ?? name;
    return parent === name ? name : find(parent);
  };
  for (const operator of operators) {
    for (const { tensor } of [...reads(operator), ...writes(operator)]) {
      if (tensorOf(program, tensor).dtype === null) parents.set(find(`value ${tensor}`), find(operator.origin));
    }
  }
  return find;
}

/** Picks one of the letters an operator can be cut along. */
export type Prefer = (cut: Cut, letters: readonly string[]) => string | undefined;

/** Output channels, hidden units, heads: the second dimension of four, the last of fewer. */
export const channels: Prefer = (cut, letters) => {
  const primary = primaryLetters(cut);
  const wanted = primary[primary.length >= 4 ? 1 : primary.length - 1];
  return letters.find((letter) => letter === wanted);
};

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
): EverythingSplit {
  const { operators, cuts, constants } = cutsOf(program);
  const devices = cluster.devices.map(({ name }) => name);
  const groupOf = groupsOf(program, operators.values());
  const whole: Reason[] = [];
  const place = (operator: Compute): Plan['operators'][string] => {
    const { origin, type } = operator;
    const cut = cuts.get(origin)!;
    const shape = tensorOf(program, operator.outputs.find((output) => output !== null)!.tensor).shape;
    const device = (i: number) => devices[(hash(groupOf(origin)) + turn + i) % devices.length]!;
    const letters = isWhole(cut) || !isKnown(shape) ? [] : choices(cut);
    if (isWhole(cut) || letters.length === 0) {
      whole.push({ operator: origin, type, reason: whyWhole(cut) });
      return device(0);
    }
    const long = letters.filter((name) => pieces(cut.letters[name]!) >= devices.length);
    const among = long.length > 0 ? long : letters;
    const name = prefer(cut, among) ?? among[(hash(`${program.name} ${origin}`) + turn) % among.length]!;
    return partsAlong(cut, name, shape as readonly number[], devices.length).map((part, i) => ({
      device: device(i),
      ...part,
    }));
  };
  const entries = [...operators.values()].filter(({ origin }) => !constants.has(origin));
  const plan = {
    format: 1 as const,
    model: program.name,
    policy: `split-everything ${turn}`,
    operators: Object.fromEntries(entries.map((operator) => [operator.origin, place(operator)])),
  };
  for (const { origin, type } of operators.values()) {
    if (constants.has(origin)) whole.push({ operator: origin, type, reason: 'only weights decide it' });
  }
  if (operators.size === 0) whole.push(nothing(program));
  return { plan, whole };
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
