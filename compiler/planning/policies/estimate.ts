/** How long shared operators take, roughly: the slowest device's work, and what every exchange between devices adds. */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { reads } from '../../ir/program.ts';
import type { Costs } from '../costs/costs.ts';
import { valueBytes } from '../costs/roofline.ts';
import type { BytesPerFloat } from '../encodings.ts';
import { outputRegion } from '../resolve.ts';
import { valueAt } from '../tile.ts';
import { Holdings, readsOf } from './holdings.ts';
import type { Share, Sharing } from './sharing.ts';

/** One share as the operator it becomes, as far as costs go: regions in and out. */
interface Tile {
  readonly tile: Compute;
  readonly device: string;
  readonly seconds: number;
}

/** Shares as tiles. Ways to share a program differ in a few shares: what is known of the others is known. */
export class Tiles {
  private readonly known = new Map<Share, Tile>();

  constructor(
    private readonly program: Program<'imported'>,
    readonly costs: Costs,
  ) {}

  of(sharing: Sharing, share: Share): Tile {
    const found = this.known.get(share);
    if (found) return found;
    const { device } = share;
    const tile = this.tileOf(sharing, share);
    const made = { tile, device, seconds: this.costs.seconds(device, this.program, tile) };
    this.known.set(share, made);
    return made;
  }

  private tileOf(sharing: Sharing, share: Share): Compute {
    const { operator, cut, reduced } = sharing;
    const inputs = readsOf(this.program, sharing, share);
    if (!cut || !share.spans) return { ...operator, inputs };
    const { spans } = share;
    const partial = reduced ? { combine: cut.combine!, index: 0, count: sharing.shares.length } : undefined;
    const outputs = operator.outputs.map(
      (output, i) => output && valueAt(output.tensor, outputRegion(cut, i, spans), partial),
    );
    return { ...operator, inputs, outputs };
  }
}

/** A tensor that must move between where it is made and where it is first read, as positions in the program. */
interface Exchange {
  readonly made: number;
  readonly read: number;
  readonly bytes: number;
}

class Estimator {
  private readonly costs: Costs;
  private readonly tiles: Tile[][];
  private readonly made = new Map<string, number>();
  private readonly lastRead = new Map<string, number>();

  constructor(
    private readonly program: Program<'imported'>,
    private readonly cluster: Cluster,
    private readonly sharings: readonly Sharing[],
    tiles: Tiles,
    private readonly bytesPerFloat?: BytesPerFloat,
  ) {
    this.costs = tiles.costs;
    this.tiles = sharings.map((sharing) => sharing.shares.map((share) => tiles.of(sharing, share)));
    for (const [i, { operator }] of sharings.entries()) {
      for (const output of operator.outputs) if (output) this.made.set(output.tensor, i);
      for (const value of this.tiles[i]!.flatMap(({ tile }) => reads(tile))) this.lastRead.set(value.tensor, i);
    }
  }

  seconds(): number {
    const work = new Map<string, number>();
    for (const { device, seconds } of this.tiles.flat()) work.set(device, (work.get(device) ?? 0) + seconds);
    const { links } = this.cluster;
    const bandwidth = Math.min(...links.map((link) => link.bandwidth));
    const latency = Math.max(0, ...links.map((link) => link.latency));
    const exchanges = this.exchanges();
    const moved = exchanges.reduce((sum, { bytes }) => sum + bytes, 0) / bandwidth;
    const borderSeconds = this.borderSeconds();
    const borders = this.borders(exchanges).reduce((sum, at) => sum + latency + borderSeconds[at]!, 0);
    return Math.max(...work.values()) + (exchanges.length > 0 ? moved : 0) + borders;
  }

  private exchanges(): Exchange[] {
    const holdings = new Holdings(this.program, this.cluster.inputs, this.bytesPerFloat);
    for (const sharing of this.sharings) holdings.add(sharing);
    return this.sharings.flatMap((sharing, read) =>
      sharing.shares.flatMap((share) =>
        readsOf(this.program, sharing, share).flatMap((value): Exchange[] => {
          const bytes = holdings.missing(share.device, value);
          return bytes > 0 ? [{ made: this.made.get(value.tensor) ?? -1, read, bytes }] : [];
        }),
      ),
    );
  }

  /** The fewest positions such that every exchange has one between where it is made and where it is read. */
  private borders(exchanges: readonly Exchange[]): number[] {
    const borders: number[] = [];
    for (const { made, read } of exchanges.toSorted((a, b) => a.read - b.read)) {
      if ((borders.at(-1) ?? Number.NEGATIVE_INFINITY) <= made) borders.push(read);
    }
    return borders;
  }

  /** By position, of the slowest device: everything it made before the position and still needs crosses. */
  private borderSeconds(): number[] {
    const positions = this.sharings.length + 1;
    const crossing = new Map(this.cluster.devices.map(({ name }) => [name, new Float64Array(positions + 1)]));
    for (const [i, tiles] of this.tiles.entries()) {
      for (const { device, tile } of tiles) {
        for (const value of tile.outputs) {
          const last = value && this.lastRead.get(value.tensor);
          if (last === null || last === undefined || last <= i) continue;
          // Differences from one position to the next; they are summed up below.
          const changes = crossing.get(device)!;
          const bytes = valueBytes(this.program, value!);
          changes[i + 1]! += bytes;
          changes[last + 1]! -= bytes;
        }
      }
    }
    const sums = new Map(this.cluster.devices.map(({ name }) => [name, 0]));
    return Array.from({ length: positions }, (_, at) => {
      const seconds = [...crossing].map(([name, changes]) => {
        sums.set(name, sums.get(name)! + changes[at]!);
        return this.costs.border(name, sums.get(name)!);
      });
      return Math.max(...seconds);
    });
  }
}

/** Seconds of one inference, without overlap. */
export const estimateSeconds = (
  program: Program<'imported'>,
  cluster: Cluster,
  sharings: readonly Sharing[],
  tiles: Tiles,
  bytesPerFloat?: BytesPerFloat,
): number => new Estimator(program, cluster, sharings, tiles, bytesPerFloat).seconds();
