/** A profile that can be asked what a chain of operators costs: as measured, between what was measured, or as estimated. */
import type { Compute, Program } from '../../ir/program.ts';
import type { Profile } from '../../profile/profile.ts';
import { type Chain, chainOf, LINK } from './chains.ts';
import { type Source, sources } from './device-costs.ts';
import { type Fit, fitRoofline } from './fit.ts';
import { Measurements } from './interpolate.ts';
import { type Sizes, sizesOf, trafficOf, workOf } from './signature.ts';

export interface Answer {
  /** Of each member. */
  readonly seconds: readonly number[];
  /** Before the first and after the last, where layouts change there. */
  readonly enter: number;
  readonly leave: number;
  readonly source: Source;
}

const worse = (a: Source, b: Source): Source => sources[Math.max(sources.indexOf(a), sources.indexOf(b))]!;

/** One part runs after the other. */
const joined = (first: Answer, rest: Answer): Answer => ({
  seconds: [...first.seconds, ...rest.seconds],
  enter: first.enter,
  leave: rest.leave,
  source: worse(first.source, rest.source),
});

export class Measured {
  readonly fit: Fit;
  private readonly chains = new Map<string, { readonly plain: Measurements; readonly blocked: Measurements }>();
  /** A chain that nobody measured may begin like one that somebody did: key by what it begins with. */
  private readonly beginnings = new Map<string, string>();

  constructor(readonly profile: Profile) {
    this.fit = fitRoofline(profile);
    for (const [key, { plain, blocked }] of Object.entries(profile.chains)) {
      this.chains.set(key, { plain: new Measurements(plain), blocked: new Measurements(blocked) });
      const links = key.split(LINK);
      for (let length = 1; length <= links.length; length++) {
        const beginning = links.slice(0, length).join(LINK);
        const known = this.beginnings.get(beginning);
        if (known === undefined || key.length < known.length) this.beginnings.set(beginning, key);
      }
    }
  }

  /** Whether any operator of this family was measured, with any sizes. */
  knows(family: string): boolean {
    return this.beginnings.has(family);
  }

  /** Whether the chain's time depends on the layout in which its inputs come. */
  hasBlocked(chain: Chain): boolean {
    const key = this.beginnings.get(chain.key);
    return key !== undefined && !this.chains.get(key)!.blocked.isEmpty;
  }

  /**
   * @param tiles the chain's members on some part, as far as `sizes` do not say it
   * @param blocked whether its inputs come in onnxruntime's blocked layout
   */
  ask(imported: Program<'imported'>, program: Program, chain: Chain, sizes: Sizes, blocked: boolean): Answer {
    for (let length = chain.members.length; length > 0; length--) {
      const begin = this.beginning(chain, length, sizes, blocked);
      if (!begin) continue;
      if (length === chain.members.length) return begin;
      return joined(begin, this.rest(imported, program, chain, length, blocked));
    }
    const alone = this.estimate(program, chain, sizes);
    return chain.members.length === 1 ? alone : joined(alone, this.rest(imported, program, chain, 1, blocked));
  }

  private rest(imported: Program<'imported'>, program: Program, chain: Chain, from: number, blocked: boolean): Answer {
    const rest = chainOf(imported, chain.members.slice(from));
    return this.ask(imported, program, rest, sizesOf(rest.family, rest.members[0]!), blocked);
  }

  private beginning(chain: Chain, length: number, sizes: Sizes, blocked: boolean): Answer | null {
    const key = this.beginnings.get(chain.links.slice(0, length).join(LINK));
    const known = key === undefined ? undefined : this.chains.get(key);
    const found = (blocked ? known?.blocked.find(sizes) : null) ?? known?.plain.find(sizes);
    if (!found) return null;
    const { point, factor, exact } = found;
    return {
      seconds: point.seconds.slice(0, length).map((one) => one * factor),
      enter: point.enter * factor,
      leave: point.leave * factor,
      source: exact ? 'measured' : 'interpolated',
    };
  }

  private estimate(program: Program, { family, members }: Chain, sizes: Sizes): Answer {
    const [leader] = members as readonly [Compute];
    const seconds = this.fit.seconds(leader.type, workOf(family, sizes), trafficOf(program, leader));
    return { seconds: [seconds], enter: 0, leave: 0, source: 'estimated' };
  }
}
