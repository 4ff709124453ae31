/** How long an inference may take before the link that it needs is taken for one that has dropped, and it is repeated without. */
import type { PlanSpec } from './manifest.ts';
import { quantile } from './stats.ts';

/** So many times as long as the plan is to take, and took lately. */
const LATE = 1.5;
/** Inferences of a plan that count as lately; before there was one, nothing is known of it here. */
const LATEST = 5;
/** ms; a scheduler, a collection of garbage or a network is late by less now and then, however short inferences are. */
const LEAST = 50;
/** ms more for what may be in the socket already, where onnxruntime has held the event loop. */
const GRACE = 25;

/** An inference that is under way. */
export interface Watched {
  readonly id: number;
  readonly plan: number;
}

/**
 * Watches the earliest inference under way: the others wait for it. Where peers tell how fast what was sent comes, it is given up as
 * soon as the rest takes longer than the plan that needs no peer, and not while the rest takes less. Where they do not, a transfer
 * that has taken so long will, for all that is known, take as long again. So it is given up no sooner than the plan that needs no
 * peer would be done: then the two together take at most twice as long as the better of both.
 */
export class Patience {
  /** ms of the latest inferences, by plan. */
  readonly #taken: number[][];
  #watched: Watched | undefined;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly plans: readonly PlanSpec[],
    /** The plan that needs no peer. */
    private readonly fallback: number | null,
    /** Whether an inference waits for a peer now, and not for this device. */
    private readonly waits: (inference: number) => boolean,
    /** ms until what was sent for it should have come, negative: since; null: not known. */
    private readonly untilThere: (inference: Watched) => number | null,
    /** It is late, after so many ms. */
    private readonly give: (inference: number, waited: number) => void,
  ) {
    this.#taken = plans.map(() => []);
  }

  /** The earliest inference under way, undefined: there is none. */
  watch(earliest: Watched | undefined): void {
    if (earliest?.id === this.#watched?.id) return;
    clearTimeout(this.#timer);
    this.#watched = earliest;
    this.#since = performance.now();
    const ms = earliest && this.of(earliest.plan);
    if (earliest && ms) this.#after(ms, () => this.#after(GRACE, () => this.#late(earliest)));
  }

  /** A peer has told what has come. */
  heard(): void {
    const watched = this.#watched;
    if (!watched || watched.plan === this.fallback || !this.waits(watched.id)) return;
    if ((this.untilThere(watched) ?? 0) > this.#alone) this.#giveUp(watched);
  }

  /** It has its outputs. */
  finished({ id, plan }: Watched): void {
    if (id === this.#watched?.id)
      this.#taken[plan] = [...this.#lately(plan).slice(1 - LATEST), performance.now() - this.#since];
  }

  /** ms; null: any time. */
  of(plan: number): number | null {
    const { fallback } = this;
    if (fallback === null || plan === fallback || this.#lately(plan).length === 0) return null;
    return Math.max(LEAST, LATE * this.#expected(plan), this.#expected(fallback));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #late(inference: Watched): void {
    const { id, plan } = inference;
    const coming = this.untilThere(inference);
    // Once all has come, peers still compute.
    const more = coming === null || coming > this.#alone ? 0 : coming + (LATE - 1) * this.#expected(plan);
    if (this.waits(id) && more <= 0) this.#giveUp(inference);
    else this.#after(Math.max(GRACE, more), () => this.#late(inference));
  }

  #giveUp({ id }: Watched): void {
    this.give(id, performance.now() - this.#since);
  }

  /** ms that the plan takes which needs no peer. */
  get #alone(): number {
    if (this.fallback === null) return Number.POSITIVE_INFINITY;
    return Math.max(LEAST, quantile(this.#lately(this.fallback), 0.5) ?? this.#predicted(this.fallback));
  }

  /** ms: as predicted, or as lately where that was longer. */
  #expected(plan: number): number {
    return Math.max(this.#predicted(plan), ...this.#lately(plan));
  }

  #predicted(plan: number): number {
    return 1e3 * (this.plans[plan]?.seconds ?? 0);
  }

  #lately(plan: number): readonly number[] {
    return this.#taken[plan] ?? [];
  }

  #after(ms: number, act: () => void): void {
    this.#timer = setTimeout(act, ms);
  }
}
