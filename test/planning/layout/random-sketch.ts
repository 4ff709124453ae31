/** Random sketches and layouts: runs of layers with borders, halos and bands of their own. */
import type { LayerGraph } from '../../../compiler/planning/layout/layers.ts';
import type { Layout } from '../../../compiler/planning/layout/layout.ts';
import { type Beyond, type LayerSketch, type Sketch, Sketcher } from '../../../compiler/planning/layout/sketch.ts';
import { Dice } from './dice.ts';

const BEYOND: readonly Beyond[] = ['sent', 'halo', 'again'];
const MOST_BANDS = 6;

/** Borders often lie at the ends: devices without a share are where plans go wrong. */
export function randomSketch(graph: LayerGraph, seed: number): Sketch {
  const dice = new Dice(seed);
  const border = () => dice.pick([0, 1, ...Array.from({ length: 4 }, () => dice.real())]);
  const layer = (): LayerSketch => ({
    borders: graph.cluster.devices
      .slice(1)
      .map(border)
      .sort((a, b) => a - b),
    beyond: dice.pick(BEYOND),
    bands: dice.real() < 0.4 ? 1 : dice.between(1, MOST_BANDS),
  });
  const stay = dice.real();
  let current = layer();
  const layers = graph.layers.map(() => {
    // Bands often stay as they are while borders move: only then do they pass from layer to layer.
    if (dice.real() > stay) current = dice.real() < 0.5 ? layer() : { ...layer(), bands: current.bands };
    return current;
  });
  return { layers, downwards: dice.real() < 0.5 };
}

export const randomLayout = (graph: LayerGraph, seed: number): Layout =>
  new Sketcher(graph).layout(randomSketch(graph, seed));
