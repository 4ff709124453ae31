/**
 * Splits every operator into the tiles its plan names, with the exact regions each tile reads.
 *
 *     %h = Conv(%x, %w) ; conv1
 *
 *     a: %h[:,:,0:4,:] = Conv(%x[:,:,0:5,:], %w) ; conv1
 *     b: %h[:,:,4:8,:] = Conv(%x[:,:,3:8,:], %w) ; conv1
 *
 * Operators that plans do not name are computed on every device that reads them, as far as it reads them.
 */
import { listAt } from '../compiler/ir/lists.ts';
import type { Compute, Operator, Program, Value } from '../compiler/ir/program.ts';
import { isDequantize, isKnown, tensorOf, wholeValue } from '../compiler/ir/program.ts';
import { hull, type Region, wholeRegion } from '../compiler/ir/region.ts';
import { type Cut, isWhole } from '../compiler/operators/rule.ts';
import type { Pass } from '../compiler/pass.ts';
import { cutsOf, isCuttable } from '../compiler/planning/cuts.ts';
import { alignedSpans, type ResolvedPart, resolvePlan } from '../compiler/planning/resolve.ts';
import { tileOf } from '../compiler/planning/tile.ts';

/** What devices read of each tensor so far. */
class Needs {
  private readonly byTensor = new Map<string, Map<string, (Region | null)[]>>();

  add(device: string, value: Value): void {
    const devices = this.byTensor.get(value.tensor) ?? new Map<string, (Region | null)[]>();
    listAt(devices, device).push(value.region);
    this.byTensor.set(value.tensor, devices);
  }

  of(tensor: string): ReadonlyMap<string, readonly (Region | null)[]> {
    return this.byTensor.get(tensor) ?? new Map();
  }
}

/**
 * What each device that reads an operator computes of it, at legal cuts, or the whole: the hull of what it reads; of
 * DequantizeLinear exactly what each reader reads, since a slice between them would hide it from onnxruntime.
 */
function partsOnDemand(program: Program<'imported'>, operator: Compute, cut: Cut | null, needs: Needs): ResolvedPart[] {
  const outputs = operator.outputs.filter((output) => output !== null);
  const devices = new Set(outputs.flatMap((output) => [...needs.of(output.tensor).keys()]));
  return [...devices].flatMap((device): ResolvedPart[] => {
    if (!cut) return [{ device, spans: null }];
    const primary = outputs[0]!;
    const shape = tensorOf(program, primary.tensor).shape;
    const all = isKnown(shape) ? wholeRegion(shape) : [];
    const regions = (needs.of(primary.tensor).get(device) ?? []).map((region) => region ?? all);
    const alone = regions.length > 0 && outputs.slice(1).every((output) => !needs.of(output.tensor).has(device));
    if (isDequantize(operator))
      return distinct(regions.map((region) => ({ device, spans: alignedSpans(cut, region) })));
    return [{ device, spans: alignedSpans(cut, alone ? hull(regions) : all) }];
  });
}

const distinct = <T>(parts: readonly T[]): T[] => [
  ...new Map(parts.map((part) => [JSON.stringify(part), part])).values(),
];

export const splitOperators: Pass<'imported', 'split'> = {
  name: 'split-operators',
  from: 'imported',
  to: 'split',
  run(program, { cluster, plan }) {
    const resolved = resolvePlan(program, cluster, plan!);
    const { operators, cuts } = cutsOf(program);
    const needs = new Needs();
    for (const name of program.outputs) needs.add(cluster.outputs, wholeValue(tensorOf(program, name)));
    // Backwards, so that everything that reads an operator on demand is known when it comes.
    const split: Operator[] = [];
    for (const operator of [...operators.values()].reverse()) {
      const found = cuts.get(operator.origin)!;
      const cut = isWhole(found) || !isCuttable(found) ? null : found;
      const parts = resolved.get(operator.origin) ?? partsOnDemand(program, operator, cut, needs);
      const tiles = parts.map((part) => tileOf(program, operator, cut, part));
      for (const tile of tiles) {
        for (const input of tile.inputs) if (input?.kind === 'value') needs.add(tile.device!, input);
        for (const value of tile.captures) needs.add(tile.device!, value);
      }
      split.push(...tiles.reverse());
    }
    return {
      ...program,
      stage: 'split',
      placement: { inputs: cluster.inputs, outputs: cluster.outputs },
      operators: split.reverse(),
    };
  },
};
