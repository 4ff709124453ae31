/** Which of a bundle's plans the next inference has: chosen by the holder of the inputs, told in each `start`. */
import { noSuchPlan } from './failures.ts';
import type { DeviceManifest, PlanSpec } from './manifest.ts';

/** So far beyond the border of a plan's bandwidths another plan is taken at once … */
const CLEARLY = 1.25;
/** … and nearer to it after so many inferences. */
const INFERENCES = 5;

/** The plans of a bundle; one of all devices where device.json names none. */
export const plansOf = ({ plans, devices }: DeviceManifest): readonly PlanSpec[] =>
  plans ?? [{ name: 'only', devices, bandwidth: null, seconds: 0 }];

export class Choice {
  readonly plans: readonly PlanSpec[];
  /** The plan that needs no peer. */
  readonly fallback: number | null;
  #forced: number | null = null;
  #current = 0;
  #elsewhere = 0;

  constructor(
    private readonly manifest: DeviceManifest,
    /** Whether all of these devices are there and ready. */
    private readonly areReady: (devices: readonly string[]) => boolean,
  ) {
    this.plans = plansOf(manifest);
    const alone = this.plans.findIndex(({ devices }) => devices.length === 1 && devices[0] === manifest.inputDevice);
    this.fallback = alone < 0 ? null : alone;
  }

  /** This plan, by its index, whatever the bandwidth; null: by bandwidth. @throws no-such-plan */
  use(plan: number | null): void {
    if (plan !== null && !this.plans[plan]) throw noSuchPlan(plan, this.plans.length);
    this.#forced = plan;
  }

  /** Whether it is one plan's turn whatever happens to links. */
  get isForced(): boolean {
    return this.#forced !== null;
  }

  /** @param bandwidth bytes per second; null: not known @returns a plan whose devices are ready, as far as there is one */
  next(bandwidth: number | null): number {
    if (this.#forced === null && bandwidth !== null) this.#follow(bandwidth);
    const wanted = this.#forced ?? this.#current;
    if (this.#isUsable(wanted)) return wanted;
    const usable = this.plans.findIndex((_, plan) => this.#isUsable(plan));
    return usable < 0 ? wanted : usable;
  }

  #isUsable(plan: number): boolean {
    const devices = this.plans[plan]?.devices ?? [];
    return this.areReady(devices.filter((device) => device !== this.manifest.device));
  }

  #follow(bandwidth: number): void {
    const distances = this.plans.map(({ bandwidth: range }) => (range ? distance(bandwidth, range) : Infinity));
    const own = distances[this.#current] ?? Infinity;
    const least = Math.min(...distances);
    if (least === Infinity || own <= least) {
      this.#elsewhere = 0;
      return;
    }
    this.#elsewhere++;
    if (own < CLEARLY && this.#elsewhere < INFERENCES) return;
    this.#current = distances.indexOf(least);
    this.#elsewhere = 0;
  }
}

/** The factor by which a bandwidth is outside a range; 1: it is inside. */
const distance = (bandwidth: number, [from, to]: readonly [number, number]): number =>
  Math.max(1, from / bandwidth, bandwidth / to);
