/** NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017): a population that spreads along the front of several objectives. */
import { dominates, nonDominated } from './front.ts';

export interface Judgement {
  /** To be small. */
  readonly objectives: readonly number[];
  /** 0 where every limit is met; else by how much they are missed. */
  readonly excess: number;
}

export interface Problem<T> {
  readonly create: () => T;
  readonly cross: (a: T, b: T) => T;
  readonly mutate: (one: T) => T;
  readonly judge: (one: T) => Judgement;
  /** Equal for equal elements. */
  readonly key: (one: T) => string;
}

export interface Effort {
  readonly population: number;
  readonly generations: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

interface Individual<T> extends Judgement {
  readonly element: T;
  rank: number;
  /** Distance to its neighbours on the same rank. */
  crowding: number;
}

/** What meets the limits comes before what does not. */
const beats = <T>(a: Individual<T>, b: Individual<T>): boolean =>
  a.excess !== b.excess ? a.excess < b.excess : dominates(a.objectives, b.objectives);

/** Ranks all, 0 being what none beats, and measures how crowded it is around each. */
function sort<T>(all: readonly Individual<T>[]): void {
  const beaten = all.map((one) => all.flatMap((other, i) => (beats(one, other) ? [i] : [])));
  const by = all.map(() => 0);
  for (const i of beaten.flat()) by[i]!++;
  let front = [...all.keys()].filter((i) => by[i] === 0);
  for (let rank = 0; front.length > 0; rank++) {
    for (const i of front) all[i]!.rank = rank;
    crowd(front.map((i) => all[i]!));
    const next: number[] = [];
    for (const i of front.flatMap((one) => beaten[one]!)) if (--by[i]! === 0) next.push(i);
    front = next;
  }
}

function crowd<T>(front: readonly Individual<T>[]): void {
  for (const one of front) one.crowding = 0;
  for (const [objective] of front[0]!.objectives.entries()) {
    const sorted = front.toSorted((a, b) => a.objectives[objective]! - b.objectives[objective]!);
    const range = sorted.at(-1)!.objectives[objective]! - sorted[0]!.objectives[objective]!;
    for (const [i, one] of sorted.entries()) {
      const [before, after] = [sorted[i - 1], sorted[i + 1]];
      if (!before || !after) one.crowding = Number.POSITIVE_INFINITY;
      else if (range > 0) one.crowding += (after.objectives[objective]! - before.objectives[objective]!) / range;
    }
  }
}

const order = <T>(a: Individual<T>, b: Individual<T>): number => a.rank - b.rank || b.crowding - a.crowding;

/**
 * All that was met on the way, is within the limits and that nothing beats.
 * @param first elements of the first generation; the rest are created
 */
export function nsga2<T>(
  problem: Problem<T>,
  { population, generations, random }: Effort,
  first: readonly T[] = [],
): T[] {
  const met = new Map<string, Individual<T>>();
  const individual = (element: T): Individual<T> => {
    const key = problem.key(element);
    const one = met.get(key) ?? { element, ...problem.judge(element), rank: 0, crowding: 0 };
    met.set(key, one);
    return one;
  };
  const created = Array.from({ length: Math.max(0, population - first.length) }, problem.create);
  let parents = [...new Set([...first, ...created].map(individual))];
  sort(parents);
  const pick = () => parents[Math.floor(random() * parents.length)]!;
  const winner = () => [pick(), pick()].sort(order)[0]!.element;
  for (let generation = 0; generation < generations; generation++) {
    const children = Array.from({ length: population }, () => problem.mutate(problem.cross(winner(), winner())));
    // A set: equal elements would fill the population without adding a point to the front.
    const ranked = [...new Set([...parents, ...children.map(individual)])];
    sort(ranked);
    parents = ranked.sort(order).slice(0, population);
  }
  const possible = [...met.values()].filter(({ excess }) => excess === 0);
  return nonDominated(possible, ({ objectives }) => objectives).map(({ element }) => element);
}
