/** Random legal plans: every operator cut along random letters into random parts on random devices. */
import * as fc from 'fast-check';
import type { Program } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { formatRegion, type Span } from '../../compiler/ir/region.ts';
import { type Cut, isWhole, type Letter, type Spans } from '../../compiler/operators/rule.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import type { Plan, PlanPart } from '../../compiler/planning/plan.ts';
import { primaryLetters } from '../../compiler/planning/resolve.ts';

/** Up to three spans that tile a letter, cut at its steps. */
function tiles(letter: Letter, pick: (n: number) => number): Span[] {
  const { size, step = 1 } = letter;
  const cuts = Array.from({ length: pick(3) }, () => step * pick(Math.floor(size / step) + 1)).filter(
    (x) => x > 0 && x < size,
  );
  const borders = [0, ...new Set(cuts.sort((a, b) => a - b)), size];
  return borders.slice(1).map((end, i): Span => [borders[i]!, end]);
}

function partsOf(
  cut: Cut,
  shape: readonly number[],
  devices: readonly string[],
  pick: (n: number) => number,
): PlanPart[] {
  let spans: Spans[] = [{}];
  const letters = Object.entries(cut.letters).filter(([, { kind, size }]) => kind !== 'whole' && size > 1);
  const primary = primaryLetters(cut);
  for (const [name, letter] of letters) {
    const reachable = primary.includes(name) || letter.kind === 'reduce';
    // Half of the letters stay whole, so that plans do not explode into single elements.
    if (!reachable || pick(2) === 0) continue;
    spans = spans.flatMap((known) => tiles(letter, pick).map((span) => ({ ...known, [name]: span })));
  }
  return spans.slice(0, 64).length < spans.length
    ? [{ device: devices[pick(devices.length)]! }]
    : spans.map((own): PlanPart => {
        const region = primary.map((letter, i): Span => own[letter] ?? [0, shape[i]!]);
        const reduce = Object.fromEntries(
          Object.entries(own).flatMap(([letter, span]) => (primary.includes(letter) ? [] : [[letter, span.join(':')]])),
        );
        return {
          device: devices[pick(devices.length)]!,
          region: formatRegion(region, shape),
          ...(Object.keys(reduce).length > 0 ? { reduce } : {}),
        };
      });
}

/** A plan decided by a seed. */
export function randomPlan(program: Program<'imported'>, devices: readonly string[], seed: number): Plan {
  const random = fc.sample(fc.infiniteStream(fc.nat({ max: 2 ** 30 })), { numRuns: 1, seed })[0]!;
  const pick = (n: number): number => (random.next().value as number) % n;
  const { operators, cuts, onDemand } = cutsOf(program);
  const entries = [...operators.values()]
    .filter(({ origin }) => !onDemand.has(origin))
    .map((operator): [string, Plan['operators'][string]] => {
      const cut = cuts.get(operator.origin)!;
      const output = operator.outputs.find((value) => value !== null)!;
      const shape = tensorOf(program, output.tensor).shape as number[];
      const empty = shape.some((size) => size === 0);
      if (isWhole(cut) || empty) return [operator.origin, devices[pick(devices.length)]!];
      return [operator.origin, partsOf(cut, shape, devices, pick)];
    });
  return { format: 1, model: program.name, policy: `random ${seed}`, operators: Object.fromEntries(entries) };
}
