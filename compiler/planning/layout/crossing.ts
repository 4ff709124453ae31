/** What crosses between the layers of a graph: where little does, plans change from some devices to others. */
import type { LayerGraph } from './layers.ts';

/** For each layer, and the end, the bytes of what is made before it and read, or wanted, from there on. */
export function crossingBytes({ layers, tensors }: LayerGraph): number[] {
  const last = tensors.map(({ wanted, maker }) => (wanted ? layers.length : (maker ?? 0)));
  for (const { index, reads } of layers) for (const { tensor } of reads) last[tensor] = Math.max(last[tensor]!, index);
  const bytes = new Array<number>(layers.length + 1).fill(0);
  for (const [i, { maker, unitBytes, length }] of tensors.entries())
    for (let at = (maker ?? -1) + 1; at <= last[i]!; at++) bytes[at]! += unitBytes * length;
  return bytes;
}

/**
 * The layers before which least crosses, ascending, one in each of so many stretches of equal work; not the first.
 * @param work of each layer
 */
export function narrowest(graph: LayerGraph, work: readonly number[], stretches: number): number[] {
  const crossing = crossingBytes(graph);
  const total = work.reduce((sum, one) => sum + one, 0);
  const chosen = new Map<number, number>();
  let done = 0;
  for (let at = 1; at < work.length; at++) {
    done += work[at - 1]!;
    const stretch = Math.floor((stretches * done) / total);
    const known = chosen.get(stretch);
    if (known === undefined || crossing[at]! < crossing[known]!) chosen.set(stretch, at);
  }
  return [...chosen.values()];
}
