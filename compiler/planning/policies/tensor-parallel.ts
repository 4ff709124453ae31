/**
 * Tensor parallelism: operators with weights are shared by output channels or by what they sum over, whichever costs less with
 * what comes before and after: of two in a row, the first by its outputs and the second by its sums, so that the two need one
 * sum and nothing in between (Megatron-LM, Shoeybi et al. 2019). What has no weights follows, or is done again on every device.
 */
import type { Cluster } from '../../cluster/cluster.ts';
import type { Compute, Program } from '../../ir/program.ts';
import { reads, tensorOf, writes } from '../../ir/program.ts';
import { type Cut, isWhole } from '../../operators/rule.ts';
import { costsOf } from '../costs/costs.ts';
import { cutsOf, sourcesOf } from '../cuts.ts';
import { type BytesPerFloat, channelAxis } from '../encodings.ts';
import type { Plan } from '../plan.ts';
import { primaryLetters, wholeSpans } from '../resolve.ts';
import { roundedOf } from '../rounded.ts';
import type { Attention } from './attention.ts';
import { choose } from './choose.ts';
import { type Paced, pacedDevices, planOfSharings, type Sharing, spansBySpeed } from './sharing.ts';

/** An operator may be done on every device if it takes at most so many multiply-adds an element that it reads or makes. */
const LIGHT = 2;

/** Output channels, hidden units, heads: the second dimension of four, the last of fewer. */
export const channelLetter = (cut: Cut): string | undefined => {
  const primary = primaryLetters(cut);
  return primary[channelAxis(primary.length)];
};

const elements = (program: Program, tensor: string): number =>
  tensorOf(program, tensor).shape.reduce<number>((all, size) => all * (size ?? 1), 1);

const reduceLetters = ({ letters }: Cut): string[] =>
  Object.keys(letters).filter((name) => letters[name]!.kind === 'reduce');

/** Sums over what a matrix of weights joins: MatMul, Gemm, Conv. */
const isWeighted = (program: Program, operator: Compute, cut: Cut): boolean =>
  reduceLetters(cut).length > 0 &&
  reads(operator).some(({ tensor }) => {
    const { role, shape } = tensorOf(program, tensor);
    return role === 'weight' && shape.length >= 2;
  });

class Candidates {
  private readonly devices: readonly Paced[];
  private readonly home: string;
  private readonly kept: ReadonlySet<string>;
  /** Pieces that a tensor's channels are shared in, so that borders stay where they are from operator to operator. */
  private readonly pieces = new Map<string, number>();

  constructor(
    private readonly program: Program<'imported'>,
    private readonly cluster: Cluster,
    private readonly heads: Attention,
    private readonly mustByHead: boolean,
  ) {
    this.devices = pacedDevices(program, cluster);
    this.home = this.devices.reduce((a, b) => (b.speed > a.speed ? b : a)).name;
    const rounded = roundedOf(cutsOf(program).operators.values());
    this.kept = new Set([...rounded].flatMap(([name, maker]) => [name, maker.origin]));
  }

  /** What an operator may be: one at least. */
  of(operator: Compute): Sharing[] {
    const cut = cutsOf(this.program).cuts.get(operator.origin)!;
    if (isWhole(cut)) return [{ operator, cut: null, shares: [{ device: this.home, spans: null }] }];
    const { origin } = operator;
    const byHead = this.mustByHead ? this.heads.letters.get(origin) : undefined;
    const wanted = byHead ?? channelLetter(cut);
    const byChannel = wanted ? this.along(operator, cut, wanted, this.outputPieces(operator, cut, wanted)) : [];
    // Attention stays cut by heads, and what is rounded stays beside what rounds it.
    if (byChannel.length > 0 && (byHead || this.kept.has(origin))) return byChannel;
    const bySums = reduceLetters(cut).flatMap((letter) =>
      this.along(operator, cut, letter, this.inputPieces(operator)),
    );
    const first = [...byChannel, ...(this.kept.has(origin) ? [] : bySums)];
    const weighted = isWeighted(this.program, operator, cut);
    if (weighted && first.length > 0) return this.full(first);
    // Rows of pictures are spatial's; with attention, heads and tokens may be anywhere.
    const isPicture = byChannel.length > 0 && primaryLetters(cut).length >= 4 && this.heads.letters.size === 0;
    const others = isPicture ? [] : primaryLetters(cut).filter((letter) => letter !== wanted);
    const byOthers = others.flatMap((letter) => this.along(operator, cut, letter, Number.POSITIVE_INFINITY));
    const all = this.full([...first, ...byOthers]);
    return all.length === 0 || this.isLight(operator, cut) ? [...all, ...this.uncut(operator, cut)] : all;
  }

  /** Those that give every device a share, if there are any. */
  private full(all: readonly Sharing[]): Sharing[] {
    const full = all.filter(({ shares }) => shares.length === this.devices.length);
    return full.length > 0 ? full : [...all];
  }

  private along(operator: Compute, cut: Cut, letter: string, pieces: number): Sharing[] {
    const { kind, size, step = 1 } = cut.letters[letter]!;
    const most = Math.ceil(size / step);
    const unit = size % pieces === 0 && pieces <= most && (size / pieces) % step === 0 ? size / pieces : step;
    const parts = kind === 'whole' ? [] : spansBySpeed(this.devices, size, unit);
    if (parts.length < Math.min(2, this.devices.length)) return [];
    const shares = parts.map(({ device, span }) => ({ device, spans: { ...wholeSpans(cut), [letter]: span } }));
    return [{ operator, cut, shares, reduced: kind === 'reduce' ? letter : undefined }];
  }

  /** Done again on every device, or where outputs are wanted. */
  private uncut(operator: Compute, cut: Cut): Sharing[] {
    const on = (names: readonly string[]): Sharing => ({
      operator,
      cut,
      shares: names.map((device) => ({ device, spans: wholeSpans(cut) })),
    });
    return [on(this.devices.map(({ name }) => name)), on([this.cluster.outputs])];
  }

  private isLight(operator: Compute, cut: Cut): boolean {
    const touched = [...reads(operator), ...writes(operator)];
    const many = touched.reduce((sum, { tensor }) => sum + elements(this.program, tensor), 0);
    return !isWeighted(this.program, operator, cut) && cut.operations <= LIGHT * many;
  }

  /** Of the coarsest input; what is broadcast has but one. */
  private inputPieces(operator: Compute): number {
    const known = sourcesOf(this.program, reads(operator)).map(({ tensor }) => this.pieces.get(tensor) ?? 1);
    return Math.min(...known.filter((pieces) => pieces > 1));
  }

  /** Sums make channels of their own, of whole heads where they can; all else has those of its inputs. */
  private outputPieces(operator: Compute, cut: Cut, letter: string): number {
    const { size, step = 1 } = cut.letters[letter]!;
    const finest = Math.ceil(size / step);
    const count = this.heads.count < this.devices.length ? Number.POSITIVE_INFINITY : this.heads.count;
    const asked = reduceLetters(cut).length > 0 && finest > count ? count : Math.min(count, this.inputPieces(operator));
    const pieces = finest % asked === 0 ? asked : finest;
    for (const { tensor } of writes(operator)) this.pieces.set(tensor, pieces);
    return pieces;
  }
}

export interface TensorParallelOptions {
  /** Channels are shared by its whole heads. */
  readonly attention: Attention;
  /** It must be cut by heads; else as is cheapest. */
  readonly byHead: boolean;
  readonly bytesPerFloat?: BytesPerFloat | undefined;
}

export function tensorParallel(
  program: Program<'imported'>,
  cluster: Cluster,
  { attention, byHead, bytesPerFloat }: TensorParallelOptions,
): Plan['operators'] {
  const { operators, onDemand } = cutsOf(program);
  const candidates = new Candidates(program, cluster, attention, byHead);
  const all = [...operators.values()]
    .filter(({ origin }) => !onDemand.has(origin))
    .map((operator) => candidates.of(operator));
  return planOfSharings(program, choose(program, cluster, costsOf(program, cluster), all, bytesPerFloat));
}
