/** Random task graphs in whole seconds, and a simulation of them that looks at every task at every moment. */
import fc from 'fast-check';
import { type Discipline, TaskGraph, type Timeline } from '../../../compiler/planning/simulation/events.ts';

export interface DrawnTask {
  readonly resource: number;
  readonly seconds: number;
  readonly priority: number;
  readonly delay: number;
  /** Indices of tasks; the same one may be named twice. */
  readonly after: readonly number[];
}

export interface Drawn {
  readonly disciplines: readonly Discipline[];
  readonly leads: readonly number[];
  readonly tasks: readonly DrawnTask[];
}

/** Few figures, so that many things happen at the same moment; tasks may wait for those added after them. */
export const arbitraryTasks: fc.Arbitrary<Drawn> = fc
  .record({
    disciplines: fc.array(fc.constantFrom<Discipline>('priority', 'fifo'), { minLength: 1, maxLength: 4 }),
    leads: fc.array(fc.nat(5), { minLength: 4, maxLength: 4 }),
    count: fc.integer({ min: 1, max: 30 }),
    isReversed: fc.boolean(),
  })
  .chain(({ disciplines, leads, count, isReversed }) => {
    const task = fc.record({
      resource: fc.nat(disciplines.length - 1),
      seconds: fc.nat(4),
      priority: fc.integer({ min: -2, max: 2 }),
      delay: fc.oneof(fc.constant(0), fc.nat(3)),
      after: fc.array(fc.nat(count), { maxLength: 3 }),
    });
    return fc.array(task, { minLength: count, maxLength: count }).map((tasks) => ({
      disciplines,
      leads,
      tasks: tasks.map((one, i): DrawnTask => {
        const others = isReversed ? count - 1 - i : i;
        const after = others > 0 ? one.after.map((n) => (n % others) + (isReversed ? i + 1 : 0)) : [];
        return { ...one, after };
      }),
    }));
  });

export function graphOf({ disciplines, leads, tasks }: Drawn): TaskGraph {
  const graph = new TaskGraph(disciplines, leads);
  for (const { resource, seconds, priority, delay } of tasks) graph.add(resource, seconds, priority, delay);
  for (const [i, { after }] of tasks.entries()) for (const before of after) graph.depend(i, before);
  return graph;
}

/** When a task has all it waits for; NaN where that is not known yet. */
export const releasedAt = ({ tasks }: Drawn, end: readonly number[], task: number): number =>
  Math.max(0, ...tasks[task]!.after.map((before) => end[before]! + tasks[before]!.delay));

/** The moment after `now` at which something may change. */
function nextMoment({ tasks }: Drawn, end: readonly number[], now: number): number {
  const moments = tasks.flatMap(({ delay }, i) => [end[i]!, end[i]! + delay]);
  return Math.min(...moments.filter((moment) => moment > now));
}

/** Seconds by which a resource is ahead: a bucket that fills as time goes by, and that the seconds of its tasks are taken out of. */
function leadAt({ leads, tasks }: Drawn, start: readonly number[], resource: number, now: number): number {
  const begun = [...tasks.keys()].filter((task) => tasks[task]!.resource === resource && start[task]! <= now);
  let [lead, at] = [leads[resource]!, 0];
  for (const task of begun.sort((a, b) => start[a]! - start[b]!)) {
    lead = Math.min(leads[resource]!, lead + start[task]! - at) - tasks[task]!.seconds;
    at = start[task]!;
  }
  return Math.min(leads[resource]!, lead + now - at);
}

/** What {@link TaskGraph.run} must give. Tasks that wait for each other never start. */
export function simulateNaively(drawn: Drawn): Timeline {
  const { disciplines, tasks } = drawn;
  const start = tasks.map(() => Number.NaN);
  const end = tasks.map(() => Number.NaN);
  const readyAt = tasks.map(() => Number.NaN);
  const all = [...tasks.keys()];
  let now = 0;
  for (; Number.isFinite(now); now = nextMoment(drawn, end, now)) {
    for (let hasStarted = true; hasStarted; ) {
      hasStarted = false;
      // What ends now frees its resource and what waits for it, all at once.
      for (const task of all) {
        if (Number.isNaN(readyAt[task]) && releasedAt(drawn, end, task) <= now) readyAt[task] = now;
      }
      for (const [resource, discipline] of disciplines.entries()) {
        const own = all.filter((task) => tasks[task]!.resource === resource);
        if (own.some((task) => start[task]! <= now && end[task]! > now)) continue;
        const key = (task: number) => (discipline === 'fifo' ? readyAt[task]! : tasks[task]!.priority);
        const ready = own.filter((task) => readyAt[task]! <= now && Number.isNaN(start[task]));
        const [first] = ready.sort((a, b) => key(a) - key(b) || a - b);
        if (first === undefined) continue;
        end[first] = now + Math.max(0, tasks[first]!.seconds - leadAt(drawn, start, resource, now));
        start[first] = now;
        hasStarted = true;
      }
    }
  }
  const makespan = Math.max(...tasks.map(({ delay }, i) => end[i]! + delay));
  return { start: Float64Array.from(start), end: Float64Array.from(end), makespan };
}
