/** Order of nodes by who makes what they read. (graphlib's walks recurse, and fail on chains of 10,000 nodes.) */

/** '' is an omitted value. */
export interface Step {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** Indices in topological order, otherwise in the given order; or the indices along a cycle. */
export function topological(steps: readonly Step[]): { order: number[] } | { cycle: number[] } {
  const makers = new Map(steps.flatMap(({ writes }, i) => writes.map((name): [string, number] => [name, i])));
  makers.delete('');
  const before = steps.map(({ reads }) => new Set(reads.flatMap((name) => makers.get(name) ?? [])));
  const after = steps.map((): number[] => []);
  before.forEach((makersOf, i) => {
    for (const maker of makersOf) after[maker]!.push(i);
  });
  const waiting = before.map((makersOf) => makersOf.size);
  const order: number[] = [];
  const place = (i: number) => {
    const ready = [i];
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
      order.push(next);
      waiting[next] = -1;
      for (const user of after[next]!) {
        waiting[user]!--;
        // Users further on in the list get their turn there.
        if (waiting[user] === 0 && user < i) ready.push(user);
      }
    }
  };
  for (let i = 0; i < steps.length; i++) if (waiting[i] === 0) place(i);
  return order.length === steps.length ? { order } : { cycle: cycleAmong(before, waiting) };
}

/** Every node that still waits has a maker that waits: going back along these must come round. The first node leads. */
function cycleAmong(before: readonly ReadonlySet<number>[], waiting: readonly number[]): number[] {
  const path = new Set<number>();
  let at = waiting.findIndex((count) => count > 0);
  while (!path.has(at)) {
    path.add(at);
    at = [...before[at]!].find((maker) => waiting[maker]! > 0)!;
  }
  const steps = [...path];
  const around = steps.slice(steps.indexOf(at)).reverse();
  const first = around.indexOf(around.reduce((least, i) => Math.min(least, i)));
  return [...around.slice(first), ...around.slice(0, first)];
}
