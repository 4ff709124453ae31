/** Operators that share what cannot be sent (sequences, maps, dtypes that JavaScript lacks) run on one device. */
import type { Program } from '../ir/program.ts';
import { reads, tensorOf, writes } from '../ir/program.ts';
import { cutsOf } from './cuts.ts';

/** Of an operator, by name, a name for those that must run where it runs: its own, if there are no others. */
export function togetherOf(program: Program<'imported'>): (operator: string) => string {
  const { onDemand } = cutsOf(program);
  const parents = new Map<string, string>();
  const find = (name: string): string => {
    let root = name;
    for (let above = parents.get(root); above !== undefined && above !== root; above = parents.get(root)) root = above;
    return root;
  };
  const makers = new Map<string, string>();
  for (const operator of program.operators) {
    const { origin } = operator;
    // What every device makes for itself ties nobody.
    if (onDemand.has(origin)) continue;
    for (const { tensor } of reads(operator)) {
      const maker = makers.get(tensor);
      if (maker !== undefined) parents.set(find(origin), find(maker));
    }
    for (const { tensor } of writes(operator)) if (tensorOf(program, tensor).dtype === null) makers.set(tensor, origin);
  }
  return find;
}
