/**
 * What the tool of Kress et al. computes of a cut, as their results show it. Its memory counts one byte an element on both
 * platforms and a depthwise convolution's weights as if every channel read every other, and its link now and then carries
 * tensors that are made on the other side: where ours differ is in costs.ts.
 */
import { transferSeconds } from '../../../compiler/cluster/transfer.ts';
import { LINK, LINK_BYTES, match } from './costs.ts';
import type { Network } from './network.ts';
import type { LoggedCut, LoggedLayer } from './tables.ts';

interface Vertex {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly number[];
  readonly readers: readonly number[];
  readonly elements: number;
  readonly weights: number;
  readonly seconds: readonly number[];
  readonly joules: readonly number[];
}
export type Figures = Omit<LoggedCut, 'layer' | 'nonDominated'>;

export interface PublishedCut {
  readonly figures: Figures;
  /** Bytes that have to cross. */
  readonly neededBytes: number;
  /** The last convolution before the cut. */
  readonly after: string;
}

/** Seconds of an empty message: the least payload of an Ethernet frame, 46 bytes, though there is no frame. */
const NOTHING = 46 / LINK.bandwidth + LINK.latency;

const total = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

/** The network with its input and its output as layers of their own. */
export class PublishedRules {
  private readonly vertices: readonly Vertex[];

  constructor(network: Network, logged: readonly LoggedLayer[]) {
    const found = match(network, logged);
    const last = network.layers.at(-1)!.elements;
    const layers = [
      { name: 'input', type: 'input', inputs: [], elements: network.inputElements, denseWeights: 0 },
      ...network.layers.map((layer) => ({ ...layer, inputs: layer.inputs.map((input) => input + 1) })),
      { name: 'output', type: 'output', inputs: [network.layers.length], elements: last, denseWeights: 0 },
    ];
    this.vertices = layers.map(({ name, type, inputs, elements, denseWeights }, i) => ({
      name,
      type,
      inputs,
      readers: layers.flatMap((other, reader) => (other.inputs.some((input) => input === i) ? [reader] : [])),
      elements,
      weights: denseWeights,
      seconds: found[i - 1]?.seconds ?? [0, 0],
      joules: found[i - 1]?.joules ?? [0, 0],
    }));
  }

  get types(): string[] {
    return [...new Set(this.vertices.map(({ type }) => type))];
  }

  /** Every cut after a layer of this type: the order of parallel branches is not in the results, so each is possible. */
  *cutsAfter(type: string): Generator<PublishedCut> {
    for (const [i, vertex] of this.vertices.entries()) {
      if (vertex.type !== type) continue;
      for (const first of this.closures(i)) {
        const ready = this.vertices.flatMap(({ inputs }, v) =>
          !first.has(v) && inputs.every((one) => first.has(one)) ? [v] : [],
        );
        for (const next of ready.length > 0 ? ready : [-1]) yield this.cut(first, next);
      }
    }
  }

  private reach(from: number, along: 'inputs' | 'readers', into = new Set<number>()): Set<number> {
    for (const next of this.vertices[from]![along]) if (!into.has(next)) this.reach(next, along, into.add(next));
    return into;
  }

  /** All that layer `i` needs and the layer itself, with what else may have been computed before it. */
  private closures(i: number): Set<number>[] {
    const needed = this.reach(i, 'inputs').add(i);
    const later = this.reach(i, 'readers');
    const beside = [...this.vertices.keys()].filter((v) => !needed.has(v) && !later.has(v));
    let closures = [needed];
    for (const v of beside) {
      const more = closures.filter((one) => this.vertices[v]!.inputs.every((input) => one.has(input)));
      closures = [...closures, ...more.map((one) => new Set(one).add(v))];
    }
    return closures;
  }

  private cut(first: ReadonlySet<number>, next: number): PublishedCut {
    const made = [...this.vertices.entries()].filter(([v]) => first.has(v));
    const needed = made.filter(([, { readers }]) => readers.some((reader) => !first.has(reader)));
    return {
      figures: this.figures(first, next),
      neededBytes: LINK_BYTES * total(needed.map(([, { elements }]) => elements)),
      after: made.findLast(([, { type }]) => type === 'Conv')?.[1].name ?? 'input',
    };
  }

  private figures(first: ReadonlySet<number>, next: number): Figures {
    const all = [...this.vertices.keys()];
    const parts = [all.filter((v) => first.has(v)), all.filter((v) => !first.has(v))];
    const busy = parts.map((part, p) => total(part.map((v) => this.vertices[v]!.seconds[p]!)));
    const bytes = LINK_BYTES * this.crossing(first, next);
    const link = bytes > 0 ? transferSeconds(LINK, bytes) : NOTHING;
    return {
      seconds: total(busy) + link,
      joules: total(parts.flatMap((part, p) => part.map((v) => this.vertices[v]!.joules[p]!))) + LINK.power * link,
      throughput: 1 / Math.max(...busy, link),
      linkBytes: bytes,
      memory: [this.memory(parts[0]!), this.memory(parts[1]!)],
    };
  }

  /**
   * Elements that cross: what is made before the cut and read after it; and what a reader of those reads besides, though it is
   * made after the cut, unless the layer that makes it is the next.
   */
  private crossing(first: ReadonlySet<number>, next: number): number {
    const tensors = new Set<number>();
    for (const [v, { inputs }] of this.vertices.entries()) {
      if (first.has(v) || !inputs.some((input) => first.has(input))) continue;
      for (const input of inputs) if (input !== next) tensors.add(input);
    }
    return total([...tensors].map((v) => this.vertices[v]!.elements));
  }

  /** Weights, and the most that exists at once of what these layers make. */
  private memory(part: readonly number[]): number {
    const own = new Set(part);
    let most = 0;
    for (const [at, v] of part.entries()) {
      const done = new Set(part.slice(0, at));
      const alive = part
        .slice(0, at + 1)
        .filter((made) => made === v || this.vertices[made]!.readers.some((reader) => !done.has(reader)));
      most = Math.max(most, total(alive.map((made) => (own.has(made) ? this.vertices[made]!.elements : 0))));
    }
    return total(part.map((v) => this.vertices[v]!.weights)) + most;
  }
}
