/** Operators cut along one axis: what a tile reads is what the tile of the split program reads; chains fuse what is legal. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Compute, type Program, reads, tensorOf, writes } from '../../../compiler/ir/program.ts';
import { hull, length as lengthOf, type Region, wholeRegion } from '../../../compiler/ir/region.ts';
import { cutsOf, sourcesOf } from '../../../compiler/planning/cuts.ts';
import { Axes, type AxisCut } from '../../../compiler/planning/layout/axis.ts';
import type { LayerGraph } from '../../../compiler/planning/layout/layers.ts';
import { wholeSpans } from '../../../compiler/planning/resolve.ts';
import { tileOf } from '../../../compiler/planning/tile.ts';
import { binary, conv, linear, relu, split, unary } from '../../../fixtures/zoo/layers.ts';
import { Dice } from './dice.ts';
import {
  built,
  clusters,
  fixtureSubjects,
  graphOf,
  graphsOf,
  orientations,
  randomSubjects,
  type Subject,
  seeds,
} from './subjects.ts';

const test = suite('axis');
const subjects = async () => [...(await fixtureSubjects()), ...(await randomSubjects(seeds(40)))];

const plannedOf = ({ program }: Subject): Compute[] => {
  const { operators, onDemand } = cutsOf(program);
  return [...operators.values()].filter(({ origin }) => !onDemand.has(origin));
};

/** A tile of what is cut, from `begin` to `end` along the letter. */
function tile(program: Program<'imported'>, { operator, cut, letter }: AxisCut, begin: number, end: number): Compute {
  const spans = cut && { ...wholeSpans(cut), [letter]: [begin, end] as const };
  return tileOf(program, operator, cut, { device: 'a', spans });
}

/** The hull of what an operator reads of each tensor; of what devices compute on demand, of what that is made of. */
function regionsRead(program: Program<'imported'>, operator: Compute): Map<string, Region> {
  const regions = new Map<string, Region>();
  for (const { tensor, region } of sourcesOf(program, reads(operator))) {
    const { shape } = tensorOf(program, tensor);
    const read = region ?? wholeRegion(shape.map((size) => size ?? 1));
    regions.set(tensor, hull([read, regions.get(tensor) ?? read]));
  }
  return regions;
}

/** The hull of what a cut says that `[begin, end)` reads of each tensor, along the tensor's axis; what is read nothing of is left out. */
function spansRead({ reads, step }: AxisCut, begin: number, end: number): Map<string, readonly [number, number]> {
  const spans = new Map<string, readonly [number, number]>();
  for (const read of reads) {
    const [first, last] = [read.begin[begin / step]!, read.end[Math.ceil(end / step)]!];
    const known = spans.get(read.tensor) ?? [first, last];
    if (first < last) spans.set(read.tensor, [Math.min(first, known[0]), Math.max(last, known[1])]);
  }
  return spans;
}

/** Spans of a cut at legal places: all that are one step long, the whole, and some others. */
function spansOf({ length: size, step }: AxisCut, dice: Dice): [begin: number, end: number][] {
  const at = (position: number) => Math.min(size, position * step);
  const positions = Math.ceil(size / step);
  const some = Array.from({ length: 12 }, () =>
    [dice.below(positions), dice.between(1, positions)].sort((a, b) => a - b),
  );
  const each = Array.from({ length: positions }, (_, i) => [i, i + 1]);
  return [...each, [0, positions], ...some].flatMap(([a, b]): [number, number][] =>
    a! < b! ? [[at(a!), at(b!)]] : [],
  );
}

/** Of the other dimensions a tile reads no more than is said, and the whole just that. */
function checkFractions(
  program: Program<'imported'>,
  { operator, reads, length: size }: AxisCut,
  regions: ReadonlyMap<string, Region>,
  axes: Axes,
  elements: number,
): void {
  for (const [tensor, region] of regions) {
    const { shape } = tensorOf(program, tensor);
    const [axis, own] = [axes.axis(tensor), reads.filter((read) => read.tensor === tensor)];
    const rest = region.reduce((part, span, d) => (d === axis ? part : (part * lengthOf(span)) / (shape[d] || 1)), 1);
    const said = Math.max(...own.map(({ fraction }) => fraction));
    if (elements === size && own.length === 1)
      assert.ok(Math.abs(rest - said) < 1e-9, `${operator.origin} of ${tensor}`);
    assert.ok(own.length > 1 || rest < said + 1e-9, `${operator.origin} reads ${rest} of ${tensor}, not ${said}`);
  }
}

test('what a tile reads along the axis is what the split program reads, and its share of the rest is as large', async () => {
  let [exact, wider] = [0, 0];
  for (const subject of await subjects()) {
    const { program } = subject;
    for (const orientation of orientations) {
      const axes = new Axes(program, orientation);
      for (const operator of plannedOf(subject)) {
        const cut = axes.cut(operator);
        for (const [begin, end] of spansOf(cut, new Dice(cut.length))) {
          const where = `${subject.name} ${orientation} ${operator.origin} ${cut.letter} ${begin}:${end}`;
          const regions = regionsRead(program, tile(program, cut, begin, end));
          const spans = spansRead(cut, begin, end);
          assert.equal([...spans.keys()].sort(), [...regions.keys()].sort(), where);
          for (const [tensor, region] of regions) {
            const axis = axes.axis(tensor);
            const [first, last] = spans.get(tensor)!;
            const read = axis === null ? ([0, 1] as const) : region[axis]!;
            assert.ok(first <= read[0] && read[1] <= last, `${where} reads ${read} of ${tensor}, not ${first}:${last}`);
            if (first === read[0] && last === read[1]) exact++;
            else wider++;
            // Nothing but a Slice goes backwards: then a tile is said to read all.
            assert.ok((first === read[0] && last === read[1]) || operator.type === 'Slice', where);
          }
          checkFractions(program, cut, regions, axes, end - begin);
        }
      }
    }
  }
  assert.ok(exact > 100 * wider, `${exact} exact, ${wider} wider`);
});

/** Fails unless the operators of every layer may be computed tile by tile, one right after the other. */
function checkLayers(graph: LayerGraph): number {
  const { program, layers, tensors } = graph;
  const readers = new Map<string, string[]>();
  for (const { operator } of layers.flatMap(({ cuts }) => cuts)) {
    for (const { tensor } of sourcesOf(program, reads(operator))) {
      readers.set(tensor, [...(readers.get(tensor) ?? []), operator.origin]);
    }
  }
  const made = new Set(program.inputs);
  for (const { cuts, length: size, step, makes, reads: all } of layers) {
    for (const { tensor } of all) assert.ok(made.has(tensors[tensor]!.name), 'it is made before it is read');
    for (const [i, cut] of cuts.entries()) {
      assert.equal([cut.length, cut.step], [size, step]);
      if (i > 0) checkLink(program, cuts[i - 1]!, cut, readers);
    }
    const names = writes(cuts.at(-1)!.operator).map(({ tensor }) => tensor);
    assert.equal(
      makes.map((tensor) => tensors[tensor]!.name),
      names,
    );
    for (const name of names) made.add(name);
  }
  for (const output of program.outputs) assert.ok(made.has(output) || tensorOf(program, output).role === 'weight');
  return layers.filter(({ cuts }) => cuts.length > 1).length;
}

/** The second alone reads what the first makes, position by position, and nobody else wants it. */
function checkLink(
  program: Program<'imported'>,
  first: AxisCut,
  second: AxisCut,
  readers: ReadonlyMap<string, readonly string[]>,
): void {
  const made = writes(first.operator);
  const [{ tensor } = { tensor: '' }] = made;
  assert.is(made.length, 1);
  assert.not(program.outputs.includes(tensor));
  assert.equal(readers.get(tensor), [second.operator.origin]);
  const dimension = first.cut!.outputs.find((letters) => letters !== null)!.indexOf(first.letter);
  for (const [begin, end] of spansOf(first, new Dice(1))) {
    const read = regionsRead(program, tile(program, second, begin, end)).get(tensor)!;
    assert.equal(read[dimension], [begin, end], `${second.operator.origin} reads ${tensor}`);
  }
}

test('operators of a layer are one chain, each read by the next alone and element by element; all of them are there', async () => {
  let fused = 0;
  for (const subject of await subjects()) {
    for (const graph of graphsOf(subject)) {
      fused += checkLayers(graph);
      const origins = graph.layers.flatMap(({ cuts }) => cuts.map(({ operator }) => operator.origin));
      assert.equal(
        origins.sort(),
        plannedOf(subject)
          .map(({ origin }) => origin)
          .sort(),
        subject.name,
      );
    }
  }
  assert.ok(fused > 100);
});

test('by hand: a convolution and its activation are a layer along rows; a halo or a second reader ends one', async () => {
  const subject = await built('fused', (g) => {
    const first = relu(g, conv(g, g.input('x', [1, 4, 16, 12]), 'conv1', 8, 3, { pad: 1 }), 'relu1');
    const second = unary(g, 'Sigmoid', conv(g, first, 'conv2', 8, 1), 'sigmoid2');
    g.output(binary(g, 'Add', second, conv(g, second, 'conv3', 8, 3, { pad: 1 }), 'add'), 'y');
  });
  const chains = (graph: LayerGraph) =>
    graph.layers.map(({ cuts }) => cuts.map(({ operator }) => operator.origin).join(' '));
  assert.equal(chains(graphOf(subject, clusters[0]!, 'rows')), ['conv1 relu1 conv2 sigmoid2', 'conv3 add']);
  const rows = graphOf(subject, clusters[0]!, 'rows').layers[0]!;
  assert.equal([rows.sharesWeights, rows.weightBytes], [false, 4 * (8 * 4 * 9 + 8 + 8 * 8 + 8)]);
  assert.equal(
    [[...rows.reads[0]!.begin].slice(0, 4), [...rows.reads[0]!.end].slice(-3)],
    [
      [0, 0, 1, 2],
      [15, 16, 16],
    ],
  );
});

test('by hand: along channels a layer reads all of its input and its share of the weights', async () => {
  const subject = await built('wide', (g) => {
    const hidden = relu(g, linear(g, g.input('x', [1, 48]), 'fc1', 32), 'relu');
    g.output(linear(g, hidden, 'fc2', 10), 'y');
  });
  const { layers } = graphOf(subject, clusters[0]!, 'channels');
  assert.equal(
    layers.map(({ cuts }) => cuts.map(({ operator }) => operator.origin)),
    [['fc1', 'relu'], ['fc2']],
  );
  assert.equal(
    layers.map(({ length }) => length),
    [32, 10],
  );
  assert.equal(
    layers.map(({ sharesWeights }) => sharesWeights),
    [true, true],
  );
  assert.equal(
    layers[1]!.reads.map(({ begin, end }) => [begin[9], end[1]]),
    [[0, 32]],
  );
});

test('a Slice of channels reads a part of every row; a scalar is made by one device', async () => {
  const subject = await built('part', (g) => {
    const x = g.input('x', [1, 12, 16, 6]);
    const [, second] = split(g, x, [4, 8], 1, 'split');
    const name = 'slice';
    const bounds = [2, 5, 1].map((value, i) => g.list(`${name}.${i}`, [value]));
    const sliced = g.node('Slice', [x, ...bounds], { dtype: 'float32', shape: [1, 3, 16, 6] }, { name });
    g.output(sliced);
    g.output(second!);
    const attributes = { keepdims: 0 };
    g.output(g.node('ReduceMean', [sliced], { dtype: 'float32', shape: [] }, { name: 'mean', attributes }));
  });
  const { layers } = graphOf(subject, clusters[0]!);
  const of = (name: string) => layers.find(({ cuts }) => cuts.some(({ operator }) => operator.origin === name))!;
  assert.equal(
    ['split', 'slice', 'mean'].map((name) =>
      of(name).reads.map(({ fraction, proportional }) => [fraction, proportional]),
    ),
    [[[1, false]], [[3 / 12, false]], [[1, false]]],
  );
  assert.equal(
    ['split', 'slice', 'mean'].map((name) => of(name).length),
    [16, 16, 1],
  );
});

test.run();
