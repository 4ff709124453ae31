/** All sketches of a small graph: what a search looks through, none left out. */
import type { LayerGraph } from '../../../compiler/planning/layout/layers.ts';
import type { Beyond, LayerSketch, Sketch } from '../../../compiler/planning/layout/sketch.ts';

const BEYOND: readonly Beyond[] = ['sent', 'halo', 'again'];

/** Borders that give different shares of so many positions. */
function everyBorders(positions: number, count: number): number[][] {
  if (count === 0) return [[]];
  const all = Array.from({ length: positions + 1 }, (_, i) => i / positions);
  return everyBorders(positions, count - 1).flatMap((borders) =>
    all.filter((at) => at >= (borders.at(-1) ?? 0)).map((at) => [...borders, at]),
  );
}

/** Bands of more than there are positions are bands of one, as is the largest here. */
function everyLayer({ cluster, layers }: LayerGraph, index: number): LayerSketch[] {
  const { length, step } = layers[index]!;
  const positions = Math.ceil(length / step);
  return everyBorders(positions, cluster.devices.length - 1).flatMap((borders) =>
    BEYOND.flatMap((beyond) => Array.from({ length: positions }, (_, i) => ({ borders, beyond, bands: i + 1 }))),
  );
}

/** How many there are. */
export const sketchesOf = (graph: LayerGraph): number =>
  graph.layers.reduce((product, { index }) => product * everyLayer(graph, index).length, 2);

export function* everySketch(graph: LayerGraph): Generator<Sketch> {
  const choices = graph.layers.map(({ index }) => everyLayer(graph, index));
  const chosen = choices.map(() => 0);
  for (let at = 0; at >= 0; ) {
    const layers = chosen.map((choice, i) => choices[i]![choice]!);
    for (const downwards of [false, true]) yield { layers, downwards };
    for (at = chosen.length - 1; at >= 0 && ++chosen[at]! === choices[at]!.length; at--) chosen[at] = 0;
  }
}
