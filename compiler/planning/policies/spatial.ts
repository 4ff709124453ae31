/**
 * Shares every operator's rows in proportion to device speed; operators without rows are shared along the axis that moves the
 * fewest bytes. Halos are exchanged or recomputed as halo.ts predicts.
 */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { tensorOf } from '../../ir/program.ts';
import { type Cut, isWhole, type LetterKind } from '../../operators/rule.ts';
import { TINY } from '../costs/roofline.ts';
import { cutsOf } from '../cuts.ts';
import type { BytesPerFloat } from '../encodings.ts';
import { primaryLetters, wholeSpans } from '../resolve.ts';
import { togetherOf } from '../together.ts';
import { recomputeHalos } from './halo.ts';
import { Holdings } from './holdings.ts';
import type { Policy } from './policy.ts';
import { type Paced, pacedDevices, planOfSharings, type Sharing, spansBySpeed } from './sharing.ts';

/** Factor of the fewest bytes within which an earlier candidate is taken. */
const NEARLY = 1.1;

/** Dimensions in the order they are tried: rows and what follows them, then channels, then the batch. */
function preference(rank: number): number[] {
  const dimensions = Array.from({ length: rank }, (_, i) => i);
  if (rank >= 4) return [...dimensions.slice(2), 1, 0];
  return rank === 3 ? [1, 2, 0] : dimensions;
}

class SpatialPlanner {
  private readonly holdings: Holdings;
  private readonly sharings: Sharing[] = [];
  /** Where the operators run that must run together, by group. */
  private readonly homes = new Map<string, string>();
  private readonly devices: readonly Paced[];
  private readonly together: (operator: string) => string;

  constructor(
    private readonly program: Program<'imported'>,
    cluster: Cluster,
    bytesPerFloat?: BytesPerFloat,
  ) {
    this.devices = pacedDevices(program, cluster);
    this.holdings = new Holdings(program, cluster.inputs, bytesPerFloat);
    this.together = togetherOf(program);
  }

  plan(): Sharing[] {
    const { operators, cuts, onDemand } = cutsOf(this.program);
    for (const operator of operators.values()) {
      if (onDemand.has(operator.origin)) continue;
      const found = cuts.get(operator.origin)!;
      const sharing = this.share(operator, isWhole(found) ? null : found);
      this.holdings.add(sharing);
      this.sharings.push(sharing);
    }
    return this.sharings;
  }

  private share(operator: Compute, cut: Cut | null): Sharing {
    const candidates = cut ? this.candidates(operator, cut) : [];
    if (candidates.length === 0) return this.atHome(this.wholeOnOne(operator, cut));
    const costs = candidates.map((candidate) => this.holdings.missingBytes(candidate));
    if (Math.min(...costs) > 0 && this.isGate(operator, cut!)) return this.everywhere(operator, cut!);
    // Nearly as few bytes are as good: rows come first, and neighbours that are cut alike need no exchange.
    const enough = NEARLY * Math.min(...costs);
    return candidates[costs.findIndex((cost) => cost <= enough)]!;
  }

  /** One candidate a letter, rows first; letters too short to give every device a share only if no other is there. */
  private candidates(operator: Compute, cut: Cut): Sharing[] {
    const primary = primaryLetters(cut);
    const order = preference(primary.length).map((i) => primary[i]!);
    const reduced = Object.keys(cut.letters).filter((letter) => cut.letters[letter]!.kind === 'reduce');
    const kinds: readonly LetterKind[] = ['free', 'window', 'reduce'];
    const all = [...order, ...reduced].flatMap((letter): Sharing[] => {
      const { kind, size, step = 1 } = cut.letters[letter]!;
      const parts = kinds.includes(kind) ? spansBySpeed(this.devices, size, step) : [];
      if (parts.length < Math.min(2, this.devices.length)) return [];
      const shares = parts.map(({ device, span }) => ({ device, spans: { ...wholeSpans(cut), [letter]: span } }));
      return [{ operator, cut, shares, reduced: kind === 'reduce' ? letter : undefined }];
    });
    const full = all.filter(({ shares }) => shares.length === this.devices.length);
    return full.length > 0 ? full : all;
  }

  /** A tiny operator on one number a channel, between layers that share rows (squeeze and excite): all devices need all of it. */
  private isGate(operator: Compute, cut: Cut): boolean {
    const { shape } = tensorOf(this.program, operator.outputs.find((output) => output !== null)!.tensor);
    return shape.length > 2 && shape.slice(2).every((size) => size === 1) && cut.operations < TINY;
  }

  /** On every device: done again rather than sent. */
  private everywhere(operator: Compute, cut: Cut): Sharing {
    return {
      operator,
      cut,
      shares: this.devices.map(({ name }) => ({ device: name, spans: wholeSpans(cut) })),
    };
  }

  /** Where those run that it must run with, if they have a place; else this becomes theirs. */
  private atHome(sharing: Sharing): Sharing {
    const group = this.together(sharing.operator.origin);
    const device = this.homes.get(group) ?? sharing.shares[0]!.device;
    this.homes.set(group, device);
    return { ...sharing, shares: sharing.shares.map((share) => ({ ...share, device })) };
  }

  /** On the device that lacks the fewest bytes of its inputs; the fastest of several. */
  private wholeOnOne(operator: Compute, cut: Cut | null): Sharing {
    const options = this.devices
      .toSorted((a, b) => b.speed - a.speed)
      .map(({ name }): Sharing => {
        const share = { device: name, spans: cut ? wholeSpans(cut) : null };
        return { operator, cut, shares: [share] };
      });
    const costs = options.map((option) => this.holdings.missingBytes(option));
    return options[costs.indexOf(Math.min(...costs))]!;
  }
}

export const spatial: Policy = {
  name: 'spatial',
  summary: 'rows shared in proportion to speed, halos exchanged or recomputed',
  plan(program, cluster, _, { bytesPerFloat }) {
    const sharings = new SpatialPlanner(program, cluster, bytesPerFloat).plan();
    return planOfSharings(program, recomputeHalos(program, cluster, sharings, bytesPerFloat));
  },
};
