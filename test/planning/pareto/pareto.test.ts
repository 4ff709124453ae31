/** Pareto fronts: against every cut there is, and NSGA-II against the exact front. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CostGraph } from '../../../compiler/planning/cost-graph.ts';
import {
  CutBreeder,
  everyCut,
  type Platforms,
  placementOf,
  sizeOf,
} from '../../../compiler/planning/pareto/cut-space.ts';
import { dominates, nonDominated } from '../../../compiler/planning/pareto/front.ts';
import { nsga2 } from '../../../compiler/planning/pareto/nsga2.ts';
import { objectiveNames, paretoFront } from '../../../compiler/planning/pareto/pareto.ts';
import { costOf, type Placement, type PlacementCost } from '../../../compiler/planning/placement/evaluate.ts';
import { generator } from '../../../runtime/random.ts';
import { arbitraryGraph, everyPlacement } from '../placement/arbitrary-graph.ts';

const test = suite('pareto');
const SEED = 6;

/** A random graph that is always the same. */
const graphs = (count: number, ...sizes: Parameters<typeof arbitraryGraph>): CostGraph[] =>
  fc.sample(arbitraryGraph(...sizes), { numRuns: count, seed: SEED });
const all = (cost: PlacementCost) => [cost.seconds, cost.joules, cost.interval, cost.linkBytes, ...cost.memory];
const few = (cost: PlacementCost) => [cost.seconds, cost.joules, cost.interval];
const sorted = (points: readonly (readonly number[])[]) =>
  [...new Set(points.map((point) => JSON.stringify(point)))].sort();

/** By the definition. */
const frontOf = (points: readonly (readonly number[])[]) =>
  points.filter((point) => !points.some((other) => dominates(other, point)));

/** Devices of the stages: of operators in a row on one device, one stage. */
const stagesOf = (placement: Placement) => placement.filter((device, i) => device !== placement[i - 1]);
const isLegal: Record<Platforms, (stages: readonly number[]) => boolean> = {
  fixed: (stages) => stages.every((device, i) => i === 0 || stages[i - 1]! < device),
  once: (stages) => new Set(stages).size === stages.length,
  repeat: () => true,
};
const kinds: readonly Platforms[] = ['fixed', 'once', 'repeat'];

test('what dominates what', () => {
  assert.ok(dominates([1, 2], [1, 3]));
  assert.not(dominates([1, 3], [1, 3]));
  assert.not(dominates([1, 3], [2, 2]));
  const points = fc.array(fc.tuple(fc.nat(6), fc.nat(6), fc.nat(6)), { maxLength: 60 });
  const holds = fc.property(points, (some) =>
    assert.equal(
      nonDominated(some, (point) => point),
      frontOf(some),
    ),
  );
  fc.assert(holds, { seed: SEED });
});

test('every cut, each once: fixed order, each device once, devices that repeat', () => {
  for (const [devices, stages] of [
    [2, 2],
    [3, 3],
    [3, 5],
    [2, 1],
  ] as const) {
    for (const platforms of kinds) {
      const space = { operators: 5, devices, platforms, stages };
      const found = [...everyCut(space)].map((cuts) => placementOf(cuts, 5));
      const wanted = [...everyPlacement(5, [...Array(devices).keys()])].filter(
        (placement) => isLegal[platforms](stagesOf(placement)) && stagesOf(placement).length <= stages,
      );
      assert.equal(sorted(found), sorted(wanted));
      assert.is(found.length, wanted.length);
      assert.is(sizeOf(space), wanted.length, `${platforms} ${devices} ${stages}`);
    }
  }
});

test('the front is that of every cut there is, within the memory', () => {
  for (const graph of graphs(20, { devices: 3, operators: 6, memory: 300 })) {
    for (const platforms of kinds) {
      const front = paretoFront(graph, { platforms, stages: 6 });
      assert.ok(front.exact);
      const costs = [...everyPlacement(6, [0, 1, 2])]
        .filter((placement) => isLegal[platforms](stagesOf(placement)))
        .map((placement) => costOf(graph, placement))
        .filter(
          ({ memory, seconds }) =>
            Number.isFinite(seconds) && memory.every((bytes, d) => bytes <= graph.devices[d]!.memory),
        );
      assert.equal(sorted(front.points.map(({ cost }) => all(cost))), sorted(frontOf(costs.map(all))));
      for (const { placement, cost } of front.points) assert.equal(cost, costOf(graph, placement));
    }
  }
});

test('the front of some objectives only', () => {
  const [graph] = graphs(1, { devices: 2, operators: 8 });
  const costs = [...everyCut({ operators: 8, devices: 2, platforms: 'fixed', stages: 2 })].map((cuts) =>
    costOf(graph!, placementOf(cuts, 8)),
  );
  const { points } = paretoFront(graph!, { objectives: ['latency', 'energy', 'throughput'] });
  assert.equal(sorted(points.map(({ cost }) => few(cost))), sorted(frontOf(costs.map(few))));
  const [fastest] = paretoFront(graph!, { objectives: ['latency'] }).points;
  assert.is(fastest!.cost.seconds, Math.min(...costs.map(({ seconds }) => seconds)));
  assert.equal(objectiveNames, ['latency', 'energy', 'throughput', 'link-bytes', 'memory']);
});

test('what NSGA-II breeds is legal', () => {
  for (const platforms of kinds) {
    const space = { operators: 9, devices: 3, platforms, stages: 3 };
    const legal = new Set([...everyCut(space)].map((cuts) => JSON.stringify(cuts)));
    const { create, cross, mutate } = new CutBreeder(space, generator(SEED));
    const bred = Array.from({ length: 3000 }, () => mutate(cross(create(), create()))).map((cuts) =>
      JSON.stringify(cuts),
    );
    for (const cuts of bred) assert.ok(legal.has(cuts), cuts);
    assert.ok(new Set(bred).size > legal.size / 2, `${new Set(bred).size} of ${legal.size}`);
  }
});

test('NSGA-II finds the exact front', () => {
  for (const graph of graphs(4, { devices: 3, operators: 12, memory: 600, alike: true })) {
    for (const platforms of kinds) {
      const space = { operators: 12, devices: 3, platforms, stages: 4 };
      const judge = (cuts: Parameters<typeof placementOf>[0]) => {
        const cost = costOf(graph, placementOf(cuts, 12));
        const excess = graph.devices.reduce((sum, { memory }, d) => sum + Math.max(0, cost.memory[d]! - memory), 0);
        return { objectives: few(cost), excess: Number.isFinite(cost.seconds) ? excess : Number.POSITIVE_INFINITY };
      };
      const problem = { ...new CutBreeder(space, generator(SEED)), judge, key: JSON.stringify };
      const found = nsga2(problem, { population: 100, generations: 100, random: generator(SEED) });
      const exact = [...everyCut(space)]
        .map(judge)
        .filter(({ excess }) => excess === 0)
        .map(({ objectives }) => objectives);
      assert.equal(sorted(found.map((cuts) => judge(cuts).objectives)), sorted(frontOf(exact)), platforms);
    }
  }
});

test('more cuts than may be tried: nothing in the front dominates another, and the seed decides', () => {
  const [graph] = graphs(1, { devices: 3, operators: 40 });
  const options = { platforms: 'repeat', stages: 5, most: 2000 } as const;
  const front = paretoFront(graph!, options);
  assert.not(front.exact);
  assert.ok(front.size > 1e6);
  const points = front.points.map(({ cost }) => all(cost));
  assert.ok(points.length > 5);
  assert.equal(frontOf(points), points);
  assert.equal(paretoFront(graph!, options), front);
  assert.not.equal(paretoFront(graph!, { ...options, seed: 2 }), front);
});

test.run();
