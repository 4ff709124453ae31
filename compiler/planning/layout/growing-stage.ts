/** What the devices that share a stage are at work with it. */
import type { LayerGraph, LayerRead } from './layers.ts';
import type { LayerSketch } from './sketch.ts';
import type { SpanFinder, Spans } from './spans.ts';

/** Of layers that are in other stages: on one device, for what leaves the stage at hand. */
const OUTSIDE: LayerSketch = { borders: [], beyond: 'sent', bands: 1 };

/** Of a tensor. */
export interface Reader {
  readonly layer: number;
  readonly step: number;
  readonly read: LayerRead;
}

/** By tensor. */
export function readersOf({ layers, tensors }: LayerGraph): Reader[][] {
  const readers = tensors.map((): Reader[] => []);
  for (const { index: layer, step, reads } of layers)
    for (const read of reads) readers[read.tensor]!.push({ layer, step, read });
  return readers;
}

/** A stage that grows from its end to earlier and earlier layers. */
export class GrowingStage {
  /** Of each device, in their order. */
  private readonly busy: number[];
  private begin: number;
  private spans: Spans | undefined;

  constructor(
    private readonly graph: LayerGraph,
    private readonly finder: SpanFinder,
    private readonly readers: readonly (readonly Reader[])[],
    private readonly devices: readonly number[],
    private readonly layer: LayerSketch,
    private readonly end: number,
  ) {
    this.busy = devices.map(() => 0);
    this.begin = end;
  }

  /** Seconds of the device that is at work longest, with layers from here on; of layers and exchanges inside the stage. */
  growTo(begin: number): number {
    const { layers } = this.graph;
    const isInside = (index: number) => begin <= index && index < this.end;
    const sketch = { layers: layers.map(({ index }) => (isInside(index) ? this.layer : OUTSIDE)), downwards: true };
    const spans = this.finder.find(sketch, this.spans);
    const count = this.graph.cluster.devices.length;
    for (const [i, device] of this.devices.entries())
      for (let index = begin; index < this.begin; index++)
        this.busy[i]! += spans.seconds[index * count + device]! + this.exchanged(index, device, spans);
    this.begin = begin;
    this.spans = spans;
    return Math.max(...this.busy);
  }

  /** Seconds for what a device reads inside the stage of what others make; it sends as much. */
  private exchanged(index: number, device: number, { begin, end }: Spans): number {
    const { graph, readers } = this;
    const count = graph.cluster.devices.length;
    const at = index * count + device;
    let seconds = 0;
    for (const tensor of graph.layers[index]!.makes) {
      let [first, last] = [begin[at]!, end[at]!];
      for (const { layer, step, read } of readers[tensor]!) {
        const reader = layer * count + device;
        if (layer >= this.end || end[reader] === 0) continue;
        first = Math.min(first, read.begin[Math.floor(begin[reader]! / step)]!);
        last = Math.max(last, read.end[Math.ceil(end[reader]! / step)]!);
      }
      for (const missing of [begin[at]! - first, last - end[at]!])
        if (missing > 0) seconds += 2 * graph.border(device, missing * graph.tensors[tensor]!.unitBytes);
    }
    return seconds;
  }
}
