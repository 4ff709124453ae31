/**
 * Halos: what a device reads beyond its own share is either sent by its neighbour or computed again from a wider halo one
 * operator up. Operators form groups: inside a group shares grow to what is read of them, so that a halo is exchanged once a
 * group; at a group's border it is sent or computed again, whichever moves fewer bytes. How much shares may grow is tried out.
 * Groups: DeepThings (Zhao et al. 2018), fused layers (Alwani et al. 2016).
 */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Program, Value } from '../../ir/program.ts';
import { tensorOf, wholeValue, writes } from '../../ir/program.ts';
import { contains, count, hull, type Region, subtract, subtractAll } from '../../ir/region.ts';
import { costsOf } from '../costs/costs.ts';
import { TINY } from '../costs/roofline.ts';
import type { BytesPerFloat } from '../encodings.ts';
import { alignedSpans, outputRegion } from '../resolve.ts';
import { estimateSeconds, Tiles } from './estimate.ts';
import { Holdings, readsOf } from './holdings.ts';
import type { Share, Sharing } from './sharing.ts';

/** Operators upwards that are asked whether they would be computed again too. */
const LOOK_AHEAD = 6;
/** A share may grow by this factor; what is more costs more time than its halo would. */
const GROWTH = 1.5;

/** Growth of shares that groups may have; 0: a halo is exchanged wherever one is. */
const LIMITS = [0, 0.04, 0.08, 0.12, 0.2, 0.35, 0.6];

interface Read {
  readonly region: Region;
  /** Of the reader. */
  readonly group: number;
}

/** Regions read of each tensor by each device. */
class Demand {
  private readonly reads = new Map<string, Read[]>();

  add(device: string, { tensor, region }: Value, group: number): void {
    if (!region) return;
    const key = `${device} ${tensor}`;
    const known = this.reads.get(key) ?? [];
    known.push({ region, group });
    this.reads.set(key, known);
  }

  /** Of readers in `group`, or of all. */
  of(device: string, tensor: string, group?: number): Region[] {
    const reads = this.reads.get(`${device} ${tensor}`) ?? [];
    return reads.filter((read) => group === undefined || read.group === group).map(({ region }) => region);
  }
}

/** Its only output. */
const outputOf = ({ operator }: Sharing): Value => operator.outputs.find((output) => output !== null)!;

/** Several outputs would each want another growth; addends cannot be told apart where they overlap. */
const isGrowable = ({ cut, operator, reduced }: Sharing): boolean =>
  cut !== null && !reduced && operator.outputs.filter((output) => output?.region).length === 1;

/** The region of the output that a share is. */
const regionOf = ({ cut, operator }: Sharing, { spans }: Share): Region =>
  outputRegion(
    cut!,
    operator.outputs.findIndex((output) => output !== null),
    spans!,
  );

class HaloPlanner {
  private readonly demand = new Demand();
  private readonly makers: ReadonlyMap<string, Sharing>;
  private group = 0;

  constructor(
    private readonly program: Program<'imported'>,
    private readonly cluster: Cluster,
    private readonly sharings: readonly Sharing[],
    /** What devices hold if no share grows. */
    private readonly holdings: Holdings,
    /** Share by which a share may grow inside a group. */
    private readonly limit: number,
  ) {
    this.makers = new Map(
      sharings.flatMap((sharing) => writes(sharing.operator).map(({ tensor }) => [tensor, sharing])),
    );
    for (const name of program.outputs) this.demand.add(cluster.outputs, wholeValue(tensorOf(program, name)), -1);
  }

  plan(): Sharing[] {
    const grown = this.sharings.toReversed().map((sharing) => {
      const shares = isGrowable(sharing) ? this.grow(sharing) : sharing.shares;
      for (const share of shares) {
        for (const value of readsOf(this.program, sharing, share)) this.demand.add(share.device, value, this.group);
      }
      return { ...sharing, shares };
    });
    return grown.reverse();
  }

  private grow(sharing: Sharing): readonly Share[] {
    const inGroup = sharing.shares.map((share) => this.growInGroup(sharing, share));
    if (inGroup.includes(null)) this.group += 1;
    const shares = inGroup.includes(null) ? sharing.shares : inGroup.filter((share) => share !== null);
    const grown = this.cluster.devices.flatMap(({ name: device }): Share[] => {
      const own = shares.find((share) => share.device === device);
      const regions = this.demand.of(device, outputOf(sharing).tensor);
      if (regions.length === 0) return own ? [own] : [];
      const wider = this.widened(sharing, device, own, regions);
      if (this.isWorthIt(sharing, own, wider)) return [wider];
      return own ? [own] : [];
    });
    return this.withoutIdle(sharing, grown);
  }

  /** Leaves out shares that nobody reads any more, since every device computes what it reads itself. */
  private withoutIdle(sharing: Sharing, shares: readonly Share[]): readonly Share[] {
    const { tensor, region } = outputOf(sharing);
    const idle = shares.find((share) => {
      if (this.demand.of(share.device, tensor).length > 0) return false;
      const others = shares.filter((other) => other !== share);
      const rest = others.map((other) => regionOf(sharing, other));
      if (subtractAll(region!, rest).length > 0) return false;
      return others.every((other) =>
        this.demand.of(other.device, tensor).every((read) => contains(regionOf(sharing, other), read)),
      );
    });
    return idle
      ? this.withoutIdle(
          sharing,
          shares.filter((share) => share !== idle),
        )
      : shares;
  }

  private widened(sharing: Sharing, device: string, own: Share | undefined, regions: readonly Region[]): Share {
    const wanted = hull(own?.spans ? [regionOf(sharing, own), ...regions] : regions);
    return { device, spans: alignedSpans(sharing.cut!, wanted) };
  }

  /** The share with what its group reads of it; null if that is too much, and a new group must begin here. */
  private growInGroup(sharing: Sharing, share: Share): Share | null {
    const regions = this.demand.of(share.device, outputOf(sharing).tensor, this.group);
    if (regions.length === 0) return share;
    const wider = this.widened(sharing, share.device, share, regions);
    const growth = count(regionOf(sharing, wider)) / count(regionOf(sharing, share)) - 1;
    if (growth === 0) return share;
    return growth > this.limit ? null : wider;
  }

  private isWorthIt(sharing: Sharing, own: Share | undefined, wider: Share, above = LOOK_AHEAD): boolean {
    const [from, to] = [own && regionOf(sharing, own), regionOf(sharing, wider)];
    const extra = from ? subtract(to, from).reduce((sum, rest) => sum + count(rest), 0) : count(to);
    if (extra === 0) return false;
    const output = outputOf(sharing);
    const operations = sharing.cut!.operations;
    const more = (operations * extra) / Math.max(1, count(output.region!));
    if (more > TINY && (!from || count(to) > GROWTH * count(from))) return false;
    const exchanged = this.holdings.bytes(tensorOf(this.program, output.tensor), extra);
    const again = this.lacks(sharing, wider) - (own ? this.lacks(sharing, own) : 0);
    return (
      again < exchanged ||
      (again === exchanged && more <= TINY && above > 0 && this.isWorthItAbove(sharing, wider, above - 1))
    );
  }

  /** Equal bytes: computing again only pays if what makes the input would be computed again too, which saves a message. */
  private isWorthItAbove(sharing: Sharing, wider: Share, above: number): boolean {
    const lacking = readsOf(this.program, sharing, wider).filter(
      (value) => this.holdings.missing(wider.device, value) > 0,
    );
    const [value] = lacking;
    const maker = value && this.makers.get(value.tensor);
    if (lacking.length !== 1 || !value?.region || !maker || !isGrowable(maker)) return false;
    const own = maker.shares.find((share) => share.device === wider.device);
    const wanted = own?.spans ? hull([regionOf(maker, own), value.region]) : value.region;
    return this.isWorthIt(maker, own, { device: wider.device, spans: alignedSpans(maker.cut!, wanted) }, above);
  }

  /** Bytes of its inputs that a share must receive. */
  private lacks(sharing: Sharing, share: Share): number {
    return readsOf(this.program, sharing, share).reduce(
      (sum, value) => sum + this.holdings.missing(share.device, value),
      0,
    );
  }
}

/** The sharings with the halos that make the least time of all growth limits. */
export function recomputeHalos(
  program: Program<'imported'>,
  cluster: Cluster,
  sharings: readonly Sharing[],
  bytesPerFloat?: BytesPerFloat,
): Sharing[] {
  const holdings = new Holdings(program, cluster.inputs, bytesPerFloat);
  for (const sharing of sharings) holdings.add(sharing);
  const options = LIMITS.map((limit) => new HaloPlanner(program, cluster, sharings, holdings, limit).plan());
  const tiles = new Tiles(program, costsOf(program, cluster));
  const seconds = options.map((option) => estimateSeconds(program, cluster, option, tiles, bytesPerFloat));
  return options[seconds.indexOf(Math.min(...seconds))]!;
}
