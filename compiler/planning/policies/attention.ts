/** Attention in a program: operators that are one, and MatMul, Softmax, MatMul as exporters write it. */
import type { Compute, Program } from '../../ir/program.ts';
import { reads, tensorOf, writes } from '../../ir/program.ts';
import { isWhole } from '../../operators/rule.ts';
import { cutsOf, sourcesOf } from '../cuts.ts';
import { primaryLetters } from '../resolve.ts';

export interface Attention {
  /** Heads: the least that any has; infinite where there is none. */
  readonly count: number;
  /** By operator in between and including its products, the letter that counts heads (or sentences times heads). */
  readonly letters: ReadonlyMap<string, string>;
}

const FUSED = /Attention$/;
/** May stand between a product and the Softmax: scale, mask. */
const BETWEEN = new Set(['Add', 'Cast', 'Clip', 'Div', 'Dropout', 'Identity', 'Max', 'Min', 'Mul', 'Sub', 'Where']);
/** Operators between a product and the Softmax, at most. */
const FARTHEST = 6;

class Finder {
  private readonly makers = new Map<string, Compute>();
  private readonly readers = new Map<string, Compute[]>();

  constructor(private readonly program: Program<'imported'>) {
    for (const operator of cutsOf(program).operators.values()) {
      for (const { tensor } of writes(operator)) this.makers.set(tensor, operator);
      for (const { tensor } of reads(operator))
        this.readers.set(tensor, [...(this.readers.get(tensor) ?? []), operator]);
    }
  }

  /** The operators of the attention that a Softmax is in; null: it is in none. */
  around(softmax: Compute): Compute[] | null {
    const above = this.towards(softmax, (one) => reads(one).flatMap(({ tensor }) => this.makers.get(tensor) ?? []));
    const below = this.towards(softmax, (one) => writes(one).flatMap(({ tensor }) => this.readers.get(tensor) ?? []));
    return above && below ? [...above, softmax, ...below] : null;
  }

  /** From the next operator up to a product of two tensors neither of which is a weight. */
  private towards(from: Compute, next: (one: Compute) => readonly Compute[], left = FARTHEST): Compute[] | null {
    if (left === 0) return null;
    for (const one of next(from)) {
      if (one.type === 'MatMul' && sourcesOf(this.program, reads(one)).length === 2) return [one];
      const more = BETWEEN.has(one.type) ? this.towards(one, next, left - 1) : null;
      if (more) return [one, ...more];
    }
    return null;
  }
}

/** Every attention that can be shared by heads. */
export function attentionOf(program: Program<'imported'>): Attention {
  const { operators, cuts } = cutsOf(program);
  const finder = new Finder(program);
  const letters = new Map<string, string>();
  let count = Number.POSITIVE_INFINITY;
  /** Third from the end where products are spelt out, features or heads of operators that are one. */
  const add = (operator: Compute, axis: (rank: number) => number): void => {
    const cut = cuts.get(operator.origin)!;
    if (isWhole(cut)) return;
    const primary = primaryLetters(cut);
    const name = primary[axis(primary.length)];
    const letter = name === undefined ? undefined : cut.letters[name];
    if (name === undefined || letter?.kind !== 'free' || letter.size === 1) return;
    letters.set(operator.origin, name);
    count = Math.min(count, Math.ceil(letter.size / (letter.step ?? 1)));
  };
  for (const operator of operators.values()) {
    if (FUSED.test(operator.type)) add(operator, (rank) => (rank >= 4 ? 1 : rank - 1));
    if (operator.type !== 'Softmax') continue;
    const rank = tensorOf(program, writes(operator)[0]!.tensor).shape.length;
    const found = rank >= 3 ? finder.around(operator) : null;
    for (const one of found ?? []) add(one, (own) => (own >= 3 ? own - 3 : -1));
  }
  return { count, letters };
}
