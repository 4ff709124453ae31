/** Placements of whole operators: what they cost, and the best of them against every placement there is. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CostGraph } from '../../../compiler/planning/cost-graph.ts';
import { bestCut, stageOrder } from '../../../compiler/planning/placement/best-cut.ts';
import { bestPipeline } from '../../../compiler/planning/placement/best-pipeline.ts';
import { contiguousPipeline } from '../../../compiler/planning/placement/contiguous.ts';
import { costOf, type PlacementCost } from '../../../compiler/planning/placement/evaluate.ts';
import { whyInfeasible } from '../../../compiler/planning/placement/infeasible.ts';
import { LinearProgram, loadSolver, variable } from '../../../compiler/planning/placement/linear-program.ts';
import type { Placed } from '../../../compiler/planning/placement/placement-program.ts';
import { errorOf } from '../../support/error.ts';
import { arbitraryGraph, everyPlacement, type GraphSizes, isForward } from './arbitrary-graph.ts';

const test = suite('placement');
const SEED = 4;

/** x → a → (b, c) → d: b and c read what a makes, d reads b's and c's. Two devices, the first has the input and wants the output. */
const diamond: CostGraph = {
  devices: [
    { name: 'robot', memory: Number.POSITIVE_INFINITY },
    { name: 'server', memory: Number.POSITIVE_INFINITY },
  ],
  waiting: 5,
  operators: ['a', 'b', 'c', 'd'].map((name, i) => ({
    name,
    seconds: [10 * (i + 1), i + 1],
    joules: [1, 2],
    weightBytes: [100, 50],
  })),
  tensors: [
    { name: 'x', bytes: [8, 8], heldBytes: [8, 4], maker: null, readers: [0], wanted: false },
    { name: 'ta', bytes: [6, 6], heldBytes: [6, 3], maker: 0, readers: [1, 2], wanted: false },
    { name: 'tb', bytes: [4, 4], heldBytes: [4, 2], maker: 1, readers: [3], wanted: false },
    { name: 'tc', bytes: [4, 4], heldBytes: [4, 2], maker: 2, readers: [3], wanted: false },
    { name: 'y', bytes: [2, 2], heldBytes: [2, 1], maker: 3, readers: [], wanted: true },
  ],
  inputs: 0,
  outputs: 0,
  transfer: (_from, _to, bytes) => ({
    seconds: bytes + 0.5,
    occupied: bytes,
    sending: 0.25,
    receiving: 0.125,
    joules: 3 * bytes,
  }),
  queue: (from, to) => `${from} ${to}`,
  joined: false,
};

test('what a placement costs: a tensor crosses once, the result returns', () => {
  const cost = costOf(diamond, [0, 1, 1, 1]);
  // a on the robot, the rest on the server; the 6 bytes that b and c read, and the 2 of the result.
  const seconds = 10 + (2 + 3 + 4) + 6.5 + 2.5;
  assert.equal(cost, {
    seconds,
    joules: 1 + 3 * 2 + 3 * 6 + 3 * 2 + 5 * seconds,
    // Of the robot: a, the 6 bytes sent and the 2 received.
    interval: 10 + 0.25 + 0.125,
    linkBytes: 8,
    // Weights, and x beside ta; weights, and ta, tb and tc.
    memory: [100 + 14, 150 + 7],
  });
  assert.is(costOf({ ...diamond, queue: () => 'air' }, [0, 0, 0, 1]).interval, 60 + 2 * 0.25 + 0.125);
  const slowAir = {
    ...diamond,
    queue: () => 'air',
    operators: diamond.operators.map((one) => ({ ...one, seconds: [9, 1] })),
  };
  assert.is(costOf(slowAir, [1, 1, 1, 1]).interval, 10, 'x and y: 8 + 2');
});

test('what crosses the same way is one message where it is said so', () => {
  assert.is(costOf(diamond, [0, 0, 0, 1]).seconds, 60 + 4 + 4.5 + 4.5 + 2.5);
  assert.is(costOf({ ...diamond, joined: true }, [0, 0, 0, 1]).seconds, 60 + 4 + 8.5 + 2.5);
});

interface Asked {
  readonly graph: CostGraph;
  readonly order: readonly number[];
  readonly forward: boolean;
}
const fits = ({ devices }: CostGraph, { memory }: PlacementCost) =>
  devices.every((device, d) => memory[d]! <= device.memory);

/** The least of `measure` over every placement that is allowed; null: there is none. */
function least({ graph, order, forward }: Asked, measure: (cost: PlacementCost) => number | null): number | null {
  let best: number | null = null;
  for (const placement of everyPlacement(graph.operators.length, order)) {
    if (forward && !isForward(graph, placement, order)) continue;
    const cost = costOf(graph, placement);
    const value = fits(graph, cost) ? measure(cost) : null;
    if (value !== null && Number.isFinite(value) && (best === null || value < best)) best = value;
  }
  return best;
}

function assertBest(
  asked: Asked,
  found: Placed | null,
  wanted: number | null,
  value: (cost: PlacementCost) => number,
): void {
  assert.is(found === null, wanted === null, `found ${found?.placement}, best ${wanted}`);
  if (!found || wanted === null) return;
  assert.ok(found.proven);
  assert.equal(found.cost, costOf(asked.graph, found.placement));
  assert.ok(!asked.forward || isForward(asked.graph, found.placement, asked.order), `${found.placement} goes back`);
  assert.ok(fits(asked.graph, found.cost));
  assert.ok(
    Math.abs(value(found.cost) - wanted) <= 1e-5 * wanted,
    `${found.placement}: ${value(found.cost)}, best ${wanted}`,
  );
}

/** Runs `check` on random graphs; tells how many of them had no solution, so that a test of nothing shows. */
function onRandomGraphs(sizes: GraphSizes, runs: number, check: (graph: CostGraph) => boolean): void {
  let solved = 0;
  fc.assert(
    fc.property(arbitraryGraph(sizes), (graph) => {
      if (check(graph)) solved++;
    }),
    { seed: SEED, numRuns: runs },
  );
  assert.ok(solved >= runs / 3, `only ${solved} of ${runs} had a solution`);
}

const shapes: readonly (readonly [string, GraphSizes, number])[] = [
  ['two devices', { devices: 2, operators: 8 }, 40],
  ['two devices kept by messages', { devices: 2, operators: 8, messages: true }, 40],
  ['two devices with little memory', { devices: 2, operators: 7, memory: 400 }, 25],
  ['three devices', { devices: 3, operators: 6 }, 25],
  ['three devices with little memory, kept by messages', { devices: 3, operators: 6, memory: 300, messages: true }, 20],
];
for (const [name, sizes, runs] of shapes) {
  test(`cut: the least latency of all layer cuts, ${name}`, async () => {
    await loadSolver();
    onRandomGraphs(sizes, runs, (graph) => {
      const asked = { graph, order: stageOrder(graph), forward: true };
      const wanted = least(asked, ({ seconds }) => seconds);
      assertBest(asked, bestCut(graph), wanted, ({ seconds }) => seconds);
      return wanted !== null;
    });
  });

  test(`cut: the least energy under a deadline, ${name}`, async () => {
    await loadSolver();
    onRandomGraphs(sizes, runs, (graph) => {
      const asked = { graph, order: stageOrder(graph), forward: true };
      const fastest = least(asked, ({ seconds }) => seconds);
      const frugal = least(asked, ({ joules }) => joules);
      if (fastest === null || frugal === null) return false;
      const deadline = fastest * 1.2;
      const wanted = least(asked, ({ seconds, joules }) => (seconds <= deadline ? joules : null));
      const options = { objective: 'energy', deadline } as const;
      assertBest(asked, bestCut(graph, options), wanted, ({ joules }) => joules);
      assertBest(asked, bestCut(graph, { objective: 'energy' }), frugal, ({ joules }) => joules);
      assert.is(bestCut(graph, { ...options, deadline: fastest * 0.99 }), null);
      return true;
    });
  });

  test(`pipeline: the highest throughput of all stages, ${name}`, async () => {
    await loadSolver();
    onRandomGraphs(sizes, runs, (graph) => {
      const asked = { graph, order: stageOrder(graph), forward: true };
      const wanted = least(asked, ({ interval }) => interval);
      assertBest(asked, bestPipeline(graph), wanted, ({ interval }) => interval);
      return wanted !== null;
    });
  });
}

test('pipeline: of equal throughput the least latency, however small a share of the whole it is', async () => {
  await loadSolver();
  onRandomGraphs({ devices: 3, operators: 6 }, 40, (graph) => {
    const heavy = graph.operators.map((one, i) => (i > 0 ? one : { ...one, seconds: graph.devices.map(() => 2e5) }));
    const asked = { graph: { ...graph, operators: heavy }, order: stageOrder(graph), forward: true };
    const interval = least(asked, (cost) => cost.interval);
    if (interval === null) return false;
    const wanted = least(asked, (cost) => (cost.interval <= interval * (1 + 1e-9) ? cost.seconds - 2e5 : null));
    const found = bestPipeline(asked.graph);
    assertBest(asked, found, interval, (cost) => cost.interval);
    assertBest(asked, found, wanted, ({ seconds }) => seconds - 2e5);
    return true;
  });
});

test('pipeline: stages in another order, on some of the devices, or visited again and again', async () => {
  await loadSolver();
  onRandomGraphs({ devices: 3, operators: 6 }, 30, (graph) => {
    const orders = [[2, 0, 1], [1, 2], [2]];
    const asked = [
      ...orders.map((order) => ({ graph, order, forward: true })),
      { graph, order: [0, 1, 2], forward: false },
      { graph, order: [1, 0], forward: false },
    ];
    const wanted = asked.map((one) => {
      const best = least(one, ({ interval }) => interval);
      assertBest(one, bestPipeline(graph, one), best, ({ interval }) => interval);
      return best;
    });
    return wanted.some((one) => one !== null);
  });
});

test('stages that are neighbours in the order of operators: allowed, now and then the best', async () => {
  await loadSolver();
  let best = 0;
  onRandomGraphs({ devices: 3, operators: 8, memory: 400 }, 60, (graph) => {
    const order = stageOrder(graph);
    const found = contiguousPipeline(graph, order, 1e-6);
    const exact = bestPipeline(graph);
    if (!found) return false;
    const cost = costOf(graph, found);
    assert.ok(isForward(graph, found, order) && fits(graph, cost), `${found}`);
    assert.ok(exact && cost.interval >= exact.cost.interval * (1 - 1e-6));
    if (cost.interval <= exact.cost.interval * (1 + 1e-6)) best++;
    return true;
  });
  assert.ok(best >= 5, `only ${best} were the best`);
});

test('a search that has no time says so, or hands over what it knew before', async () => {
  await loadSolver();
  const [graph] = fc.sample(arbitraryGraph({ devices: 3, operators: 30 }), { numRuns: 1, seed: SEED });
  const hurried = bestPipeline(graph!, { budget: 0 });
  assert.not(hurried?.proven);
  assert.ok(hurried && hurried.cost.interval >= bestPipeline(graph!)!.cost.interval);
  const asked = { objective: 'energy', deadline: bestCut(graph!)!.cost.seconds, budget: 0 } as const;
  await errorOf('search-time', () => bestCut(graph!, asked));
});

test('why there is none', async () => {
  await loadSolver();
  const withMemory = (...memory: number[]): CostGraph => ({
    ...diamond,
    devices: diamond.devices.map((device, d) => ({ ...device, memory: memory[d]! })),
  });
  const tiny = withMemory(40, 40);
  assert.is(bestCut(tiny), null);
  assert.is(
    whyInfeasible(tiny),
    '"a" needs 57 B for its weights and what exists beside it, no device has more than 40 B',
  );
  const small = withMemory(60, 60);
  assert.is(bestPipeline(small), null);
  assert.is(whyInfeasible(small), 'the weights need 200 B, all devices together have 120 B');
  const tight = withMemory(130, 110);
  assert.is(bestCut(tight), null);
  assert.is(
    whyInfeasible(tight),
    "no stages of whole operators fit in the devices' memory (robot 130 B, server 110 B)",
  );
  const asked = { objective: 'energy', deadline: 20 } as const;
  assert.is(bestCut(diamond, asked), null);
  assert.is(whyInfeasible(diamond, asked), 'the fastest takes 21000 ms, 20000 ms are allowed');
});

test('a linear program that nothing meets, and one without variables', async () => {
  await loadSolver();
  const program = new LinearProgram();
  const x = variable(program.variable({ whole: true }));
  program.atLeast(x, { terms: new Map(), constant: 0.5 });
  assert.equal(program.minimise(x, { seconds: 10 }), { values: [1], proven: true });
  program.atLeast({ terms: new Map(), constant: 0.5 }, x);
  assert.is(program.minimise(x, { seconds: 10 }), 'impossible');
  assert.equal(new LinearProgram().minimise({ terms: new Map(), constant: 1 }, { seconds: 10 }), {
    values: [],
    proven: true,
  });
});

test.run();
