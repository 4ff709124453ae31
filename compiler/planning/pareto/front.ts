/** Points that no other point beats in everything. All objectives are to be small. */

/** Whether `a` is nowhere worse than `b`, and somewhere better. */
export function dominates(a: readonly number[], b: readonly number[]): boolean {
  let better = false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]! > b[i]!) return false;
    if (a[i]! < b[i]!) better = true;
  }
  return better;
}

/** The items that none dominates, in their order; equal ones are all kept. */
export function nonDominated<T>(items: readonly T[], objectives: (item: T) => readonly number[]): T[] {
  const points = items.map(objectives);
  // A point can only be dominated by one that comes before it here, and then also by one that is itself not dominated.
  const order = [...points.keys()].sort((a, b) => compare(points[a]!, points[b]!));
  const front: number[] = [];
  for (const i of order) if (!front.some((other) => dominates(points[other]!, points[i]!))) front.push(i);
  return front.sort((a, b) => a - b).map((i) => items[i]!);
}

/** By the first objective in which they differ. */
function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}
