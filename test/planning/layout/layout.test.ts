/** Whatever sketch a layout follows: its plan is legal, its program comes to an end and computes what the model does. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tensorOf } from '../../../compiler/ir/program.ts';
import { lower } from '../../../compiler/lower.ts';
import type { LayerGraph } from '../../../compiler/planning/layout/layers.ts';
import type { Layout } from '../../../compiler/planning/layout/layout.ts';
import { type Beyond, Sketcher } from '../../../compiler/planning/layout/sketch.ts';
import type { Schedule } from '../../../compiler/planning/schedule.ts';
import { conv, relu, resize } from '../../../fixtures/zoo/layers.ts';
import { squeezenet } from '../../../fixtures/zoo/squeezenet.ts';
import { encodeModel } from '../../../fixtures/zoo/write.ts';
import type { DType, NumericDType } from '../../../runtime/dtype.ts';
import { execute } from '../../support/execute.ts';
import { assertEqualOutputs, inputsFor, type Named, reference } from '../../support/reference.ts';
import { replay } from '../../support/replay.ts';
import { randomLayout } from './random-sketch.ts';
import {
  asPlan,
  built,
  clusters,
  fixtureSubjects,
  graphOf,
  graphsOf,
  randomSubjects,
  type Subject,
  seeds,
  subjectOf,
} from './subjects.ts';

const test = suite('layouts');

/** The schedule of a layout, every step of which has what it needs. */
function scheduled(graph: LayerGraph, layout: Layout): Schedule {
  const { schedule } = lower(graph.program, { cluster: graph.cluster, plan: asPlan(graph, layout) });
  replay(schedule);
  return schedule;
}

/** How many layers several devices share, and how many a device makes in bands. */
function countOf(layout: Layout): { shared: number; banded: number } {
  const devices = layout.map((pieces) => new Set(pieces.map(({ device }) => device)).size);
  return {
    shared: devices.filter((count) => count > 1).length,
    banded: layout.filter((pieces, i) => pieces.length > devices[i]!).length,
  };
}

interface Expected {
  readonly inputs: Named;
  readonly outputs: Named;
}

const isNumeric = (dtype: DType | null): dtype is NumericDType => dtype !== null && dtype !== 'string';

/** null for strings, of which there are no random ones. */
async function expectedOf({ program, file }: Subject): Promise<Expected | null> {
  const tensors = program.inputs.map((name) => tensorOf(program, name));
  const specs = tensors.flatMap(({ name, dtype, shape }) => (isNumeric(dtype) ? [{ name, dtype, shape }] : []));
  if (specs.length < tensors.length) return null;
  const inputs = inputsFor(specs);
  return { inputs, outputs: await reference(file, inputs) };
}

/** Tries so many layouts of every graph of a subject; the first is computed too. */
async function tryLayouts(subject: Subject, graphs: readonly LayerGraph[], numbers: readonly number[]) {
  const total = { shared: 0, banded: 0 };
  const expected = await expectedOf(subject);
  for (const [i, graph] of graphs.entries()) {
    for (const number of numbers) {
      const seed = 1000 * number + i;
      const layout = randomLayout(graph, seed);
      const { shared, banded } = countOf(layout);
      total.shared += shared;
      total.banded += banded;
      try {
        const { program } = scheduled(graph, layout);
        if (expected && number === numbers[0])
          assertEqualOutputs(await execute(program, expected.inputs), expected.outputs);
      } catch (error) {
        throw new Error(`${subject.name}, graph ${i}, seed ${seed}: ${error}`, { cause: error });
      }
    }
  }
  return total;
}

/** Layers that are shared, and that are in bands, over all of the subjects. */
async function tryAll(subjects: readonly Subject[], numbers: readonly number[]) {
  const all: { shared: number; banded: number }[] = [];
  for (const subject of subjects) all.push(await tryLayouts(subject, graphsOf(subject), numbers));
  const sum = (key: 'shared' | 'banded') => all.reduce((total, one) => total + one[key], 0);
  return { shared: sum('shared'), banded: sum('banded') };
}

test('random sketches of the fixtures: legal, and equal to onnxruntime on the whole model', async () => {
  const { shared, banded } = await tryAll(await fixtureSubjects(), seeds(2));
  assert.ok(shared > 400 && banded > 300, `${shared} shared, ${banded} in bands`);
});

test('random sketches of random models: legal, and equal to onnxruntime on the whole model', async () => {
  const { shared, banded } = await tryAll(await randomSubjects(seeds(30)), [1, 2]);
  assert.ok(shared > 400 && banded > 300, `${shared} shared, ${banded} in bands`);
});

test('random sketches of SqueezeNet: legal; one of them equal to onnxruntime', async () => {
  const subject = await subjectOf('squeezenet', encodeModel(squeezenet(1)));
  const graphs = clusters.flatMap((cluster) => [
    graphOf(subject, cluster, 'rows'),
    graphOf(subject, cluster, 'columns'),
  ]);
  for (const graph of graphs) for (const seed of [1, 2, 3]) scheduled(graph, randomLayout(graph, seed));
  const { shared, banded } = await tryLayouts(subject, [graphs[0]!], [4]);
  assert.ok(shared > 0 && banded > 0, `${shared} shared, ${banded} in bands`);
});

/** One sketch for all layers. */
const uniform = (graph: LayerGraph, borders: readonly number[], beyond: Beyond, bands: number, downwards = false) =>
  new Sketcher(graph).layout({ layers: graph.layers.map(() => ({ borders, beyond, bands })), downwards });
const spansOf = (layout: Layout, device: number) =>
  layout.map((pieces) => pieces.filter((one) => one.device === device).map(({ begin, end }) => [begin, end]));

test('by hand: halos are sent, computed again, or computed again where nobody has a share', async () => {
  const subject = await built('chain', (g) => {
    const first = conv(g, g.input('x', [1, 2, 16, 8]), 'conv1', 4, 3, { pad: 1 });
    g.output(conv(g, conv(g, first, 'conv2', 4, 5, { pad: 2 }), 'conv3', 2, 1), 'y');
  });
  const graph = graphOf(subject, clusters[0]!);
  assert.equal(
    graph.layers.map(({ cuts }) => cuts.length),
    [1, 2],
  );
  const half = (beyond: Beyond) => [0, 1].map((device) => spansOf(uniform(graph, [0.5], beyond, 1), device));
  assert.equal(half('sent'), [
    [[[0, 8]], [[0, 8]]],
    [[[8, 16]], [[8, 16]]],
  ]);
  assert.equal(half('halo'), [
    [[[0, 10]], [[0, 8]]],
    [[[6, 16]], [[8, 16]]],
  ]);
  assert.equal(half('again'), half('halo'));
  // Everything on the second device, but the first layer of the first: again means that nobody needs that.
  const moved = (beyond: Beyond) => {
    const layers = [1, 0].map((border) => ({ borders: [border], beyond, bands: 1 }));
    return [0, 1].map((device) => spansOf(new Sketcher(graph).layout({ layers, downwards: false }), device));
  };
  assert.equal(moved('sent'), [
    [[[0, 16]], []],
    [[], [[0, 16]]],
  ]);
  assert.equal(moved('halo'), moved('sent'));
  assert.equal(moved('again'), [
    [[], []],
    [[[0, 16]], [[0, 16]]],
  ]);
});

test('by hand: bands begin where they are asked to, and towards the end of a chain each ends a halo earlier', async () => {
  const subject = await built('bands', (g) => {
    const first = relu(g, conv(g, g.input('x', [1, 2, 16, 8]), 'conv1', 4, 3, { pad: 1 }), 'relu');
    g.output(conv(g, first, 'conv2', 2, 3, { pad: 1 }), 'y');
  });
  const graph = graphOf(subject, clusters[0]!);
  const up = [
    [
      [0, 4],
      [4, 8],
      [8, 12],
      [12, 16],
    ],
    [
      [0, 3],
      [3, 7],
      [7, 11],
      [11, 16],
    ],
  ];
  assert.equal(spansOf(uniform(graph, [1], 'sent', 4), 0), up);
  const down = up.map((pieces) => pieces.map(([begin, end]) => [16 - end!, 16 - begin!]));
  assert.equal(spansOf(uniform(graph, [1], 'sent', 4, true), 0), down);
});

test('by hand: what a Slice leaves out is computed by whose share it is; steps of two are kept to', async () => {
  const subject = await built('left-out', (g) => {
    const grown = resize(g, conv(g, g.input('x', [1, 2, 16, 8]), 'conv', 4, 3, { pad: 1 }), 2, 'nearest', 'resize');
    const bounds = [4, 12, 2].map((value, i) => g.list(`slice.${i}`, [value]));
    g.output(g.node('Slice', [grown, ...bounds], { dtype: 'float32', shape: [1, 4, 8, 16] }, { name: 'slice' }), 'y');
  });
  const graph = graphOf(subject, clusters[0]!);
  const layout = uniform(graph, [0.25], 'sent', 1);
  assert.equal(
    [0, 1].map((device) => spansOf(layout, device)),
    [
      [[[0, 4]], [[0, 8]], [[0, 2]]],
      [[[4, 16]], [[8, 32]], [[2, 8]]],
    ],
  );
  scheduled(graph, layout);
});

test.run();
