/** The discrete-event simulator: against one that looks at everything at every moment, and by what any timeline must keep. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TaskGraph, type Timeline } from '../../../compiler/planning/simulation/events.ts';
import { arbitraryTasks, type Drawn, graphOf, releasedAt, simulateNaively } from './reference.ts';

const test = suite('events');
const runs = { numRuns: 1000 };

test('random task graphs: every start and end as the naive simulation has them', () => {
  fc.assert(
    fc.property(arbitraryTasks, (drawn) => {
      const { start, end, makespan } = graphOf(drawn).run();
      const expected = simulateNaively(drawn);
      assert.equal([[...start], [...end], makespan], [[...expected.start], [...expected.end], expected.makespan]);
    }),
    runs,
  );
});

/** Tasks of a resource, in the order they run. */
function inOrder({ disciplines, tasks }: Drawn, { start, end }: Timeline): number[][] {
  return disciplines.map((_, resource) =>
    [...tasks.keys()]
      .filter((task) => tasks[task]!.resource === resource)
      .sort((a, b) => start[a]! - start[b]! || end[a]! - end[b]!),
  );
}

test('a resource does one thing at a time, nothing starts before what it waits for, and all is done', () => {
  fc.assert(
    fc.property(arbitraryTasks, (drawn) => {
      const timeline = graphOf(drawn).run();
      const { start, end, makespan } = timeline;
      for (const order of inOrder(drawn, timeline)) {
        for (const [i, task] of order.entries()) if (i > 0) assert.ok(start[task]! >= end[order[i - 1]!]!);
      }
      for (const [task, { resource, seconds, delay }] of drawn.tasks.entries()) {
        assert.ok(end[task]! <= start[task]! + seconds);
        assert.ok(end[task]! >= start[task]! + Math.max(0, seconds - drawn.leads[resource]!));
        assert.ok(start[task]! >= releasedAt(drawn, [...end], task));
        assert.ok(makespan >= end[task]! + delay);
      }
    }),
    runs,
  );
});

test('no resource waits while it has something to do, and it takes what comes first', () => {
  fc.assert(
    fc.property(arbitraryTasks, (drawn) => {
      const timeline = graphOf(drawn).run();
      const { start, end } = timeline;
      const ready = drawn.tasks.map((_, task) => releasedAt(drawn, [...end], task));
      for (const [resource, order] of inOrder(drawn, timeline).entries()) {
        const key = (task: number) =>
          drawn.disciplines[resource] === 'fifo' ? ready[task]! : drawn.tasks[task]!.priority;
        for (const [i, task] of order.entries()) {
          assert.is(start[task], Math.max(ready[task]!, i > 0 ? end[order[i - 1]!]! : 0));
          // What becomes ready at that very moment may come too late; what starts then takes no time.
          const passedOver = order.filter((other) => ready[other]! < start[task]! && start[task]! < start[other]!);
          for (const other of passedOver) assert.ok(key(task) <= key(other));
        }
      }
    }),
    runs,
  );
});

test('by hand: a link delivers after its latency and is free before; the urgent task goes first', () => {
  const graph = new TaskGraph(['priority', 'fifo', 'priority']);
  const make = graph.add(0, 2);
  const first = graph.add(1, 3, 0, 4);
  const second = graph.add(1, 3, -9, 4);
  const late = graph.add(2, 1, 5);
  const urgent = graph.add(2, 2, 1);
  const idle = graph.add(2, 6, 9);
  for (const transfer of [second, first]) graph.depend(transfer, make);
  graph.depend(late, first);
  graph.depend(urgent, second);
  const { start, makespan } = graph.run();
  // Both transfers are ready at 2; the link takes them in the order they were added, whatever their priority.
  assert.equal([...start], [0, 2, 5, 9, 12, 0]);
  assert.is(idle, 5);
  assert.is(makespan, 14);
});

test('by hand: a link with a lead carries a burst at once, and has it again after as long a rest', () => {
  const graph = new TaskGraph(['fifo', 'priority'], [2]);
  const sent = [graph.add(0, 1, 0, 0.5), graph.add(0, 4), graph.add(0, 1)];
  const work = graph.add(1, 4);
  const last = graph.add(0, 3);
  graph.depend(last, work);
  // All but the last are there at 0: 6 seconds of work, 2 of which are done; at 4, the link has just caught up.
  const { start, end } = graph.run();
  assert.equal(
    sent.map((task) => [start[task], end[task]]),
    [
      [0, 0],
      [0, 3],
      [3, 4],
    ],
  );
  assert.equal([start[last], end[last]], [4, 7]);
  graph.lengthen(work, 1);
  assert.equal([...graph.run().end], [0, 3, 4, 5, 7]);
  graph.lengthen(work, 7);
  assert.is(graph.run().end[last], 13);
});

test('lengthen adds to a task, a graph runs again as it ran before, and an empty one takes no time', () => {
  const graph = new TaskGraph(['priority']);
  const [a, b] = [graph.add(0, 1), graph.add(0, 2)];
  graph.depend(a, b);
  graph.lengthen(b, 0.5);
  assert.is(graph.secondsOf(b), 2.5);
  const once = graph.run();
  assert.equal([...once.start], [2.5, 0]);
  assert.equal(graph.run(), once);
  assert.is(new TaskGraph([]).run().makespan, 0);
});

test('a cleared graph knows nothing of what it had', () => {
  const graph = new TaskGraph(['priority', 'fifo']);
  const before = [graph.add(0, 4, 2), graph.add(1, 3, 0, 5), graph.add(0, 1)];
  graph.depend(before[1]!, before[0]!);
  graph.depend(before[2]!, before[1]!);
  graph.clear();
  assert.is(graph.size, 0);
  const [a, b] = [graph.add(0, 1), graph.add(1, 2)];
  graph.depend(a, b);
  const { start, makespan } = graph.run();
  assert.equal([...start], [2, 0]);
  assert.is(makespan, 3);
});

test('the last delay counts, though nobody waits for it', () => {
  const graph = new TaskGraph(['fifo']);
  graph.add(0, 1, 0, 5);
  assert.is(graph.run().makespan, 6);
});

test('tasks that wait for each other are an error that says how many', () => {
  const graph = new TaskGraph(['priority', 'fifo']);
  const tasks = [graph.add(0, 1), graph.add(1, 1), graph.add(0, 1), graph.add(1, 1)];
  graph.depend(tasks[1]!, tasks[2]!);
  graph.depend(tasks[2]!, tasks[1]!);
  graph.depend(tasks[3]!, tasks[2]!);
  assert.throws(() => graph.run(), /3 of 4 tasks wait for each other/);
});

test.run();
