/**
 * What the operators of one session cost. Chains cost what was measured; what onnxruntime does between them follows from their
 * layouts: a convolution makes a blocked layout, which operators without a kernel for it, joins, cuts and the session's
 * border undo (ReorderOutput), and which the next convolution makes again (ReorderInput).
 */
import type { Assemble, Compute, Program, Value } from '../../ir/program.ts';
import { reads, tensorOf, valueKey, writes } from '../../ir/program.ts';
import { type Chain, chainsOf, externals, type Session } from './chains.ts';
import type { Work } from './device-costs.ts';
import type { Answer, Measured } from './measured.ts';
import { valueBytes } from './roofline.ts';
import { sizesOf, trafficOf } from './signature.ts';

export interface Placed {
  readonly chain: Chain;
  readonly answer: Answer;
  /** Whether its inputs come in the blocked layout. */
  readonly blocked: boolean;
  /** Whether it wants this input in the blocked layout. */
  wants(value: Value): boolean;
}

/** Only these have a blocked layout. */
const isPicture = (program: Program, { tensor }: Value): boolean => {
  const { dtype, shape } = tensorOf(program, tensor);
  return dtype === 'float32' && shape.length === 4;
};

export class SessionCosts {
  private readonly seconds = new Map<Work, number>();
  private readonly chains = new Map<Compute, Chain>();
  private readonly placed = new Map<Chain, Placed>();

  constructor(
    private readonly measured: Measured,
    private readonly imported: Program<'imported'>,
    private readonly program: Program,
    private readonly session: Session,
  ) {
    const chains = chainsOf(imported, session);
    for (const chain of chains) for (const member of chain.members) this.chains.set(member, chain);
    for (const operator of session.operators) {
      if (operator.kind === 'assemble') this.seconds.set(operator, this.assembling(operator));
      // A user's pass may add operators that the model does not have.
      else if (!this.chains.has(operator))
        this.seconds.set(operator, measured.fit.seconds(operator.type, 0, trafficOf(program, operator)));
    }
    for (const chain of chains) {
      const { seconds } = this.place(chain).answer;
      for (const [i, member] of chain.members.entries()) this.add(member, seconds[i]!);
    }
    this.changeLayouts(chains);
  }

  /** Seconds; undefined for an operator that is not in the session. */
  of(operator: Work): number | undefined {
    return this.seconds.get(operator);
  }

  get total(): number {
    return [...this.seconds.values()].reduce((sum, one) => sum + one, 0);
  }

  /** The chain an operator is in. */
  chainOf(operator: Compute): Placed | undefined {
    const chain = this.chains.get(operator);
    return chain && this.place(chain);
  }

  private add(operator: Work, seconds: number): void {
    this.seconds.set(operator, (this.seconds.get(operator) ?? 0) + seconds);
  }

  private place(chain: Chain): Placed {
    const known = this.placed.get(chain);
    if (known) return known;
    const { measured, imported, program } = this;
    const sizes = sizesOf(chain.family, chain.members[0]!);
    const plain = measured.ask(imported, program, chain, sizes, false);
    const converts = plain.enter > 0;
    const pictures = externals(program, chain).filter(({ value }) => isPicture(program, value));
    const deciding = pictures.filter(({ byFollower }) => byFollower || !converts);
    const blocked =
      measured.hasBlocked(chain) && deciding.length > 0 && deciding.every(({ value }) => this.isBlocked(value));
    const converted = new Set(
      pictures.filter(({ byLeader }) => converts && byLeader).map(({ value }) => valueKey(value)),
    );
    const placed: Placed = {
      chain,
      answer: blocked ? { ...measured.ask(imported, program, chain, sizes, true), enter: plain.enter } : plain,
      blocked,
      wants: (value) => isPicture(program, value) && (blocked || converted.has(valueKey(value))),
    };
    this.placed.set(chain, placed);
    return placed;
  }

  /** Whether the session makes a value in the blocked layout. */
  private isBlocked(value: Value): boolean {
    const maker = this.session.makers.get(valueKey(value));
    const chain = maker?.kind === 'compute' ? this.chains.get(maker) : undefined;
    return chain !== undefined && this.place(chain).answer.leave > 0;
  }

  /** Every value is brought into the blocked layout once, and out of it once, if any reader wants that. */
  private changeLayouts(chains: readonly Chain[]): void {
    const entered = new Set<string>();
    for (const chain of chains) {
      const { answer, wants } = this.place(chain);
      for (const { value } of externals(this.program, chain)) {
        const key = valueKey(value);
        if (!wants(value) || this.isBlocked(value) || entered.has(key)) continue;
        entered.add(key);
        this.add(chain.members[0]!, answer.enter);
      }
    }
    for (const chain of chains) {
      const last = chain.members.at(-1)!;
      if (writes(last).some((value) => this.leaves(value))) this.add(last, this.place(chain).answer.leave);
    }
  }

  private leaves(value: Value): boolean {
    const key = valueKey(value);
    const readers = this.session.readers.get(key) ?? [];
    return this.session.kept.has(key) || readers.some((reader) => !this.takes(reader, value));
  }

  private takes(reader: Work, value: Value): boolean {
    const chain = reader.kind === 'compute' ? this.chains.get(reader) : undefined;
    return chain !== undefined && this.place(chain).wants(value);
  }

  /** Parts are cut out, then joined or combined. */
  private assembling(operator: Assemble): number {
    const { output } = operator;
    const whole = valueBytes(this.program, output);
    const parts = reads(operator).map((value) => Math.min(whole, valueBytes(this.program, value)));
    const joins = parts.length > 1 ? whole : 0;
    const moved = parts.reduce((sum, bytes) => sum + bytes, 0) + joins;
    return this.measured.fit.dispatch * (parts.length + 1) + (2 * moved) / this.measured.profile.memory.copy;
  }
}
