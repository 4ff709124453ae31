/** Why operators are not computed in parts, in words for people. */
import type { Program } from '../../compiler/ir/program.ts';
import { type Cut, isWhole, type Whole } from '../../compiler/operators/rule.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import type { Plan } from '../../compiler/planning/plan.ts';

export interface Reason {
  readonly operator: string;
  readonly type: string;
  readonly reason: string;
}

function whyWhole(cut: Cut | Whole): string {
  if (isWhole(cut)) return cut.whole;
  const letters = Object.entries(cut.letters);
  if (letters.every(([, { size }]) => size === 1)) return 'a single element';
  const byReason = new Map<string, string>();
  for (const [name, { kind, size, reason }] of letters) {
    const why = size === 1 ? 'of size 1' : kind === 'whole' ? reason! : 'the plan leaves it whole';
    byReason.set(why, (byReason.get(why) ?? '') + name);
  }
  return `${cut.notation}, ${[...byReason].map(([reason, names]) => `${names}: ${reason}`).join('; ')}`;
}

/** One for every operator that the plan gives a single part, or does not name; one if there is no operator at all. */
export function wholeReasons(program: Program<'imported'>, plan: Plan): Reason[] {
  const { operators, cuts, onDemand } = cutsOf(program);
  if (operators.size === 0) {
    const reason = 'no operator is left once onnxruntime has folded constants';
    return [{ operator: program.name, type: 'model', reason }];
  }
  return [...operators.values()].flatMap(({ origin, type }) => {
    const parts = plan.operators[origin];
    if (Array.isArray(parts) && parts.length > 1) return [];
    const reason = onDemand.get(origin) ?? whyWhole(cuts.get(origin)!);
    return { operator: origin, type, reason };
  });
}
