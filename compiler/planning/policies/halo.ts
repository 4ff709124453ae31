/**
 * Halos: what a device reads beyond its own share is either sent by its neighbour or computed again from a wider halo one
 * operator up. Backwards through the operators, each share grows to what is read of it where that moves fewer bytes.
 */
import { bytesPerElement } from '../../../runtime/dtype.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program, Value } from '../../ir/program.ts';
import { tensorOf, wholeValue } from '../../ir/program.ts';
import { count, hull, type Region, subtract } from '../../ir/region.ts';
import { alignedSpans, outputRegion, wholeSpans } from '../resolve.ts';
import { Holdings, readsOf } from './holdings.ts';
import type { Share, Sharing } from './spatial.ts';

/** Fewer multiply-adds than this are done again rather than sent, when the bytes are equal: a message costs more. */
const TINY = 100_000;
/** A share may grow by this factor; what is more costs more time than its halo would. */
const GROWTH = 1.5;

/** Regions read of each tensor by each device. */
class Demand {
  private readonly regions = new Map<string, Region[]>();

  add(device: string, { tensor, region }: Value): void {
    if (!region) return;
    const key = `${device} ${tensor}`;
    const known = this.regions.get(key) ?? [];
    known.push(region);
    this.regions.set(key, known);
  }

  of(device: string, tensor: string): readonly Region[] {
    return this.regions.get(`${device} ${tensor}`) ?? [];
  }
}

class HaloPlanner {
  private readonly demand = new Demand();
  private readonly holdings: Holdings;

  constructor(
    private readonly program: Program<'imported'>,
    private readonly cluster: Cluster,
    private readonly sharings: readonly Sharing[],
  ) {
    this.holdings = new Holdings(program, cluster.inputs);
    for (const sharing of sharings) this.holdings.add(sharing);
    for (const name of program.outputs) this.demand.add(cluster.outputs, wholeValue(tensorOf(program, name)));
  }

  plan(): Sharing[] {
    const grown = this.sharings.toReversed().map((sharing) => {
      const shares = this.grow(sharing);
      for (const share of shares) {
        for (const value of readsOf(this.program, sharing, share)) this.demand.add(share.device, value);
      }
      return { ...sharing, shares };
    });
    return grown.reverse();
  }

  private grow(sharing: Sharing): readonly Share[] {
    const { cut, operator, shares, reduced } = sharing;
    const outputs = operator.outputs.flatMap((output, index) => (output?.region ? [{ ...output, index }] : []));
    // Several outputs would each want another growth; addends cannot be told apart where they overlap.
    if (!cut || reduced || outputs.length !== 1) return shares;
    const [output] = outputs;
    return this.cluster.devices.flatMap(({ name: device }): Share[] => {
      const own = shares.find((share) => share.device === device);
      const regions = this.demand.of(device, output!.tensor);
      if (regions.length === 0) return own ? [own] : [];
      const region = own?.spans ? outputRegion(cut, output!.index, own.spans) : undefined;
      const wanted = hull(region ? [region, ...regions] : regions);
      const spans = alignedSpans(cut, wanted);
      const wider: Share = { device, spans };
      const worth = this.isWorthIt(sharing, own, wider, region, outputRegion(cut, output!.index, spans));
      return worth ? [wider] : own ? [own] : [];
    });
  }

  private isWorthIt(
    sharing: Sharing,
    own: Share | undefined,
    wider: Share,
    from: Region | undefined,
    to: Region,
  ): boolean {
    const extra = from ? subtract(to, from).reduce((sum, rest) => sum + count(rest), 0) : count(to);
    if (extra === 0) return false;
    const { cut, operator } = sharing;
    const whole = wholeSpans(cut!);
    const operations = Object.values(whole).reduce((product, [, size]) => product * size, 1);
    const output = operator.outputs.find((value) => value !== null)!;
    const tensor = tensorOf(this.program, output.tensor);
    const more = (operations * extra) / Math.max(1, count(output.region!));
    if (more > TINY && (!from || count(to) > GROWTH * count(from))) return false;
    const exchanged = extra * (tensor.dtype ? bytesPerElement(tensor.dtype) : 0);
    const again = this.lacks(sharing, wider) - (own ? this.lacks(sharing, own) : 0);
    return again < exchanged || (again === exchanged && more <= TINY);
  }

  /** Bytes of its inputs that a share must receive. */
  private lacks(sharing: Sharing, share: Share): number {
    return readsOf(this.program, sharing, share).reduce(
      (sum, value) => sum + this.holdings.missing(share.device, value),
      0,
    );
  }
}

/** The sharings with halos where exchanging them would move more bytes than computing them again. */
export const recomputeHalos = (
  program: Program<'imported'>,
  cluster: Cluster,
  sharings: readonly Sharing[],
): Sharing[] => new HaloPlanner(program, cluster, sharings).plan();
