/** Which operators of the model were really computed in parts on several devices. */
import type { Program } from '../../compiler/ir/program.ts';
import { valueKey, writes } from '../../compiler/ir/program.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';

/** Names of those with parts that differ on two devices at least. @param program of a later stage than `imported` */
export function splitOperators(program: Program, imported: Program<'imported'>): Set<string> {
  const { onDemand } = cutsOf(imported);
  const first = new Map<string, { device: string | null; key: string }>();
  const split = new Set<string>();
  for (const operator of program.operators) {
    const { device, origin, kind } = operator;
    if (kind !== 'compute' || onDemand.has(origin)) continue;
    const key = writes(operator).map(valueKey).join();
    const other = first.get(origin);
    if (!other) first.set(origin, { device, key });
    else if (other.device !== device && other.key !== key) split.add(origin);
  }
  return split;
}
