/**
 * Which tiles of a model are measured: every distinct chain of operators whole, then halves, then quarters along each letter, then
 * narrow bands.
 */
import type { Compute, Program } from '../ir/program.ts';
import { tensorOf } from '../ir/program.ts';
import type { Span } from '../ir/region.ts';
import { isWhole, type LetterKind } from '../operators/rule.ts';
import { type Chain, chainsOf, Session } from '../planning/costs/chains.ts';
import { familyOf, type Sizes, sizesOf } from '../planning/costs/signature.ts';
import { cutsOf } from '../planning/cuts.ts';
import { outputRegion, spansOf, wholeSpans } from '../planning/resolve.ts';
import { tileOf } from '../planning/tile.ts';

export interface Tile {
  readonly chain: Chain;
  readonly sizes: Sizes;
  /** The chain's operators on this part. */
  readonly operators: readonly Compute[];
}

/** Parts of a letter that are measured, in this order. */
const SHARES = [1 / 2, 1 / 4];
/** Of rows and columns, at least one: as narrow as bands get, where a convolution mostly reads its weights. */
const BAND = 1 / 16;

/** The chain with its leader on `spans`, followers on what it makes. */
function tileOfChain(
  program: Program<'imported'>,
  chain: Chain,
  spans: Readonly<Record<string, Span>>,
  reduced: boolean,
): Tile {
  const [leader, ...followers] = chain.members;
  const { cut } = chain.family;
  const partial = reduced ? { partial: { combine: cut!.combine!, index: 0, count: 2 } } : {};
  const first = tileOf(program, leader!, cut, { device: '', spans, ...partial });
  const region = cut!.outputs[0] ? outputRegion(cut!, 0, spans) : [];
  const rest = followers.map((member) => {
    const own = familyOf(program, member).cut!;
    return tileOf(program, member, own, { device: '', spans: spansOf(own, region) });
  });
  return { chain, sizes: sizesOf(chain.family, first), operators: [first, ...rest] };
}

/** Tiles that are `share` of the chain along one of its letters; a sum's addends are of the leader alone. */
function tilesAlong(
  program: Program<'imported'>,
  chain: Chain,
  alone: Chain,
  share: number,
  kinds: readonly LetterKind[] = ['free', 'window', 'reduce'],
): Tile[] {
  const { cut } = chain.family;
  if (!cut) return [];
  return Object.entries(cut.letters).flatMap(([letter, { kind, size, step = 1 }]): Tile[] => {
    const end = Math.max(1, Math.round((size * share) / step)) * step;
    if (!kinds.includes(kind) || end >= size) return [];
    const reduced = kind === 'reduce';
    // A half has a border of the whole, what is narrower mostly has none: it reads no padding.
    const begin = share < 1 / 2 ? Math.floor((size - end) / 2 / step) * step : 0;
    const span: Span = [begin, begin + end];
    return [tileOfChain(program, reduced ? alone : chain, { ...wholeSpans(cut), [letter]: span }, reduced)];
  });
}

/** Whether a device can be given made-up inputs for it. */
function isMeasurable(program: Program<'imported'>, { members }: Chain): boolean {
  return members.every((member) =>
    [...member.inputs, ...member.outputs, ...member.captures].every((value) => {
      if (value?.kind !== 'value') return true;
      const { dtype } = tensorOf(program, value.tensor);
      return value.region !== null && dtype !== null && dtype !== 'string';
    }),
  );
}

const identity = ({ chain, sizes }: Tile) => `${chain.key} ${JSON.stringify(sizes)}`;

/** The same chain with the same sizes is measured once. */
function distinct(tiles: readonly Tile[]): Tile[] {
  return [...new Map(tiles.toReversed().map((tile) => [identity(tile), tile])).values()].reverse();
}

/** Those that say most first; the last may be left out where time is short. */
export function tilesOf(program: Program<'imported'>): Tile[] {
  const { operators, constants, cuts } = cutsOf(program);
  const session = new Session(
    [...operators.values()].filter(({ origin }) => !constants.has(origin)),
    new Set(),
  );
  const chains = chainsOf(program, session).filter((chain) => isMeasurable(program, chain));
  /** Each operator by itself: how it runs where a plan parts it from its chain. */
  const alone = new Map(
    chains.flatMap(({ members }) =>
      members.map((member) => [member, chainsOf(program, new Session([member], new Set()))[0]!]),
    ),
  );
  const whole = (chain: Chain): Tile => ({ chain, sizes: chain.family.sizes, operators: chain.members });
  const isCut = (chain: Chain) => !isWhole(cuts.get(chain.members[0]!.origin)!);
  const singles = distinct([...alone.values()].map(whole));
  const long = chains.filter(({ members }) => members.length > 1);
  const cuttable = distinct(chains.map(whole))
    .map(({ chain }) => chain)
    .filter(isCut);
  return distinct([
    ...chains.map(whole),
    ...cuttable.flatMap((chain) => tilesAlong(program, chain, alone.get(chain.members[0]!)!, SHARES[0]!)),
    ...(long.length > 0 ? singles : []),
    ...cuttable.flatMap((chain) => tilesAlong(program, chain, alone.get(chain.members[0]!)!, SHARES[1]!)),
    ...cuttable.flatMap((chain) => tilesAlong(program, chain, alone.get(chain.members[0]!)!, BAND, ['window'])),
  ]);
}
