/** The classic baseline: the first operators on the robot, the rest on the server, nothing overlapped. */
import type { CostGraph } from '../../../compiler/planning/cost-graph.ts';

export interface LayerCut {
  /** Operators on the robot, in the graph's order: 0 offloads everything, all of them is local. */
  readonly at: number;
  readonly seconds: number;
  /** Of these, the seconds in which the robot computes. */
  readonly computing: number;
  readonly bytes: number;
}

/**
 * As if every reader fetched its own copy: what DSCCS's predictions follow. Its DenseNet never cuts where a block begins, though
 * one small tensor crosses there, because every layer of the block reads it.
 */
export const perReader = (graph: CostGraph): CostGraph => ({
  ...graph,
  tensors: graph.tensors.flatMap((tensor) => [
    ...tensor.readers.map((reader) => ({ ...tensor, readers: [reader], wanted: false })),
    ...(tensor.wanted ? [{ ...tensor, readers: [] }] : []),
  ]),
});

/** Bytes that cross at each of the cuts 0 … n; what is made and read on the same side does not. */
function crossing({ operators, tensors }: CostGraph): Float64Array {
  const changes = new Float64Array(operators.length + 2);
  for (const { bytes: each, maker, readers, wanted } of tensors) {
    // Both sides send the same.
    const bytes = each[0]!;
    const made = (maker ?? -1) + 1;
    // Up, while the maker is on the robot and the last reader is not; down, while the maker of an output is on the server.
    changes[made]! += bytes;
    changes[Math.max(made, (readers.at(-1) ?? -1) + 1)]! -= bytes;
    if (!wanted) continue;
    changes[0]! += bytes;
    changes[made]! -= bytes;
  }
  for (let at = 1; at < changes.length; at++) changes[at]! += changes[at - 1]!;
  return changes;
}

/** @param bandwidth bytes per second; 0: no link @param device indices of the graph's devices */
export function bestLayerCut(graph: CostGraph, bandwidth: number, robot: number, server: number): LayerCut {
  const { operators } = graph;
  const bytes = crossing(graph);
  let computing = 0;
  let remote = operators.reduce((sum, { seconds }) => sum + seconds[server]!, 0);
  let best: LayerCut | undefined;
  for (let at = 0; at <= operators.length; at++) {
    const crosses = bytes[at]!;
    const seconds = computing + remote + (crosses > 0 ? crosses / bandwidth : 0);
    if (!best || seconds < best.seconds) best = { at, seconds, computing, bytes: crosses };
    computing += operators[at]?.seconds[robot] ?? 0;
    remote -= operators[at]?.seconds[server] ?? 0;
  }
  return best!;
}
