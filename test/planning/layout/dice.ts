/** Random choices that a seed decides. */
import { generator } from '../../../runtime/random.ts';

export class Dice {
  /** [0, 1). */
  readonly real: () => number;

  constructor(seed: number) {
    this.real = generator(seed);
  }

  /** Whole, from 0. */
  below(limit: number): number {
    return Math.floor(this.real() * limit);
  }

  /** Whole, both ends included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  pick<T>(options: readonly T[]): T {
    return options[this.below(options.length)]!;
  }
}
