/**
 * Picks one sharing of each operator such that work and exchanges together take little: dynamic programming over the graph,
 * exact on chains and trees; a tensor with several readers is weighed as if they parted its cost among them.
 */
import { bytesPerElement } from '../../../runtime/dtype.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program, Value } from '../../ir/program.ts';
import { reads, tensorOf, wholeValue } from '../../ir/program.ts';
import { count, type Region, subtractAll } from '../../ir/region.ts';
import type { Costs } from '../costs/costs.ts';
import { sourcesOf } from '../cuts.ts';
import { type BytesPerFloat, bytesOnLink } from '../encodings.ts';
import { tileOf } from '../tile.ts';
import { madeBy, type Sharing } from './sharing.ts';

/** Regions by device. */
type Regions = ReadonlyMap<string, readonly Region[]>;
interface Made {
  readonly regions: Regions;
  /** Of a sum, one a share; else 1. */
  readonly addends: number;
}

/** A sharing that an operator may have: what it reads and makes where, by tensor. */
interface Choice {
  readonly sharing: Sharing | null;
  readonly reads: ReadonlyMap<string, Regions>;
  readonly makes: ReadonlyMap<string, Made>;
  /** Of the slowest device. */
  readonly seconds: number;
}

/** An operator in between its neighbours; inputs and outputs of the model stand for operators of one choice. */
interface Vertex {
  readonly choices: readonly Choice[];
  /** Of each choice: seconds of everything up to here, as far as this is to pay for it. */
  readonly spent: number[];
}

function byTensor(entries: readonly { device: string; value: Value }[]): Map<string, Map<string, Region[]>> {
  const found = new Map<string, Map<string, Region[]>>();
  for (const { device, value } of entries) {
    if (!value.region) continue;
    const regions = found.get(value.tensor) ?? new Map<string, Region[]>();
    found.set(value.tensor, regions.set(device, [...(regions.get(device) ?? []), value.region]));
  }
  return found;
}

class Chooser {
  private readonly vertices: Vertex[];
  /** The vertex that makes a tensor, and those that read it. */
  private readonly makers = new Map<string, number>();
  private readonly readers = new Map<string, number[]>();
  private readonly bandwidth: number;
  /** Seconds that an exchange takes however small it is: it ends a session and is on its way. */
  private readonly exchange: number;

  constructor(
    private readonly program: Program<'imported'>,
    cluster: Cluster,
    private readonly costs: Costs,
    candidates: readonly (readonly Sharing[])[],
    private readonly bytesPerFloat: BytesPerFloat = 4,
  ) {
    const { links, devices } = cluster;
    this.bandwidth = Math.min(...links.map((link) => link.bandwidth));
    this.exchange =
      Math.max(0, ...links.map((link) => link.latency)) + Math.max(...devices.map(({ name }) => costs.border(name, 0)));
    const whole = (device: string, names: readonly string[]) =>
      byTensor(names.map((name) => ({ device, value: wholeValue(tensorOf(program, name)) })));
    const given = [...whole(cluster.inputs, program.inputs)].map(([name, regions]) => [name, { regions, addends: 1 }]);
    const none = { sharing: null, reads: new Map(), makes: new Map(), seconds: 0 };
    const all: Choice[][] = [
      [{ ...none, makes: new Map(given as [string, Made][]) }],
      ...candidates.map((options) => options.map((sharing) => this.choice(sharing))),
      [{ ...none, reads: whole(cluster.outputs, program.outputs) }],
    ];
    this.vertices = all.map((choices) => ({ choices, spent: [] }));
    for (const [i, { choices }] of this.vertices.entries()) {
      const of = (pick: (choice: Choice) => Iterable<string>) => new Set(choices.flatMap((one) => [...pick(one)]));
      for (const tensor of of(({ makes }) => makes.keys())) this.makers.set(tensor, i);
      for (const tensor of of(({ reads }) => reads.keys()))
        this.readers.set(tensor, [...(this.readers.get(tensor) ?? []), i]);
    }
  }

  choose(): Sharing[] {
    for (const { choices, spent } of this.vertices) {
      for (const choice of choices) spent.push(choice.seconds + this.inputSeconds(choice));
    }
    const chosen: Choice[] = [];
    for (let i = this.vertices.length - 1; i >= 0; i--) {
      const { choices, spent } = this.vertices[i]!;
      const values = choices.map((choice, k) => spent[k]! + this.outputSeconds(choice, chosen));
      chosen[i] = choices[values.indexOf(Math.min(...values))]!;
    }
    return chosen.flatMap(({ sharing }) => sharing ?? []);
  }

  private choice(sharing: Sharing): Choice {
    const { program } = this;
    const tiles = sharing.shares.map(({ device, spans }, i) => {
      const { cut, reduced, operator, shares } = sharing;
      const partial = reduced ? { partial: { combine: cut!.combine!, index: i, count: shares.length } } : {};
      return { device, tile: tileOf(program, operator, cut, { device, spans, ...partial }) };
    });
    const seconds = new Map<string, number>();
    for (const { device, tile } of tiles)
      seconds.set(device, (seconds.get(device) ?? 0) + this.costs.seconds(device, program, tile));
    const needs = tiles.flatMap(({ device, tile }) =>
      sourcesOf(program, reads(tile)).map((value) => ({ device, value })),
    );
    const makes = sharing.shares.flatMap((share) =>
      madeBy(sharing, share).map((value) => ({ device: share.device, value })),
    );
    const addends = sharing.reduced ? sharing.shares.length : 1;
    return {
      sharing,
      reads: byTensor(needs),
      makes: new Map([...byTensor(makes)].map(([tensor, regions]) => [tensor, { regions, addends }])),
      seconds: Math.max(...seconds.values()),
    };
  }

  /** The cheapest way to have what a choice reads, as far as it is the only one to read it. */
  private inputSeconds({ reads }: Choice): number {
    let sum = 0;
    for (const [tensor, regions] of reads) {
      const maker = this.vertices[this.makers.get(tensor) ?? -1];
      if (!maker) continue;
      const readers = this.readers.get(tensor)!.length;
      const options = maker.choices.map((choice, k) => {
        const made = choice.makes.get(tensor);
        return maker.spent[k]! / this.readersOf(choice) + (made ? this.moved(tensor, made, [regions]) / readers : 0);
      });
      sum += Math.min(...options);
    }
    return sum;
  }

  private readersOf({ makes }: Choice): number {
    return [...makes.keys()].reduce((sum, tensor) => sum + (this.readers.get(tensor)?.length ?? 0), 0);
  }

  /** Until all that read it have what they lack. */
  private outputSeconds({ makes }: Choice, chosen: readonly Choice[]): number {
    let sum = 0;
    for (const [tensor, made] of makes) {
      const readers = this.readers.get(tensor) ?? [];
      sum += this.moved(
        tensor,
        made,
        readers.flatMap((i) => chosen[i]!.reads.get(tensor) ?? []),
      );
    }
    return sum;
  }

  /** Seconds until devices have all of a tensor that they read; what several readers want crosses once. */
  private moved(name: string, { regions, addends }: Made, readers: readonly Regions[]): number {
    const tensor = tensorOf(this.program, name);
    let elements = 0;
    for (const device of new Set(readers.flatMap((one) => [...one.keys()]))) {
      const own = regions.get(device) ?? [];
      const have: Region[] = addends === 1 ? [...own] : [];
      // Of a sum, a device lacks the addends that others make.
      const missing = addends === 1 ? 1 : addends - own.length;
      for (const read of readers.flatMap((one) => one.get(device) ?? [])) {
        elements += missing * subtractAll(read, have).reduce((sum, rest) => sum + count(rest), 0);
        have.push(read);
      }
    }
    if (elements === 0 || !tensor.dtype) return 0;
    const bytes = bytesOnLink(tensor, elements * bytesPerElement(tensor.dtype), this.bytesPerFloat);
    return this.exchange + bytes / this.bandwidth;
  }
}

/** One of each operator's candidates; operators in topological order, each with one candidate at least. */
export const choose = (
  program: Program<'imported'>,
  cluster: Cluster,
  costs: Costs,
  candidates: readonly (readonly Sharing[])[],
  bytesPerFloat?: BytesPerFloat,
): Sharing[] => new Chooser(program, cluster, costs, candidates, bytesPerFloat).choose();
