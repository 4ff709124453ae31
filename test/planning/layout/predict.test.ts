/** What is predicted of a layout: the bytes its program sends, and never less time than the bound. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { lower } from '../../../compiler/lower.ts';
import { boundOf } from '../../../compiler/planning/layout/bound.ts';
import { type LayerGraph, NO_LINK } from '../../../compiler/planning/layout/layers.ts';
import type { Layout } from '../../../compiler/planning/layout/layout.ts';
import { predict } from '../../../compiler/planning/layout/predict.ts';
import { Search } from '../../../compiler/planning/layout/search.ts';
import { loadSolver } from '../../../compiler/planning/placement/linear-program.ts';
import { conv, relu } from '../../../fixtures/zoo/layers.ts';
import { bytesMoved, clusterOf } from '../../support/imported.ts';
import { randomLayout } from './random-sketch.ts';
import {
  asPlan,
  built,
  fixtureSubjects,
  graphOf,
  graphsOf,
  heavyGraphOf,
  randomSubjects,
  seeds,
  withBurst,
} from './subjects.ts';

const test = suite('predictions');

const channelBytes = (graph: LayerGraph, layout: Layout): number =>
  bytesMoved(lower(graph.program, { cluster: graph.cluster, plan: asPlan(graph, layout) }).schedule);

/** Every tile reads all of its inputs' other dimensions: layers are told apart by their axis alone. */
const isAlongAxes = ({ layers }: LayerGraph): boolean =>
  layers.every(({ reads }) => reads.every(({ fraction, proportional }) => fraction === 1 && !proportional));

test('bytes: exactly what the program sends where tiles lie along the axes; elsewhere no less than 0.85 of that, no more than twice', async () => {
  let [exact, rough] = [0, 0];
  for (const subject of [...(await fixtureSubjects()), ...(await randomSubjects(seeds(25)))]) {
    for (const [i, graph] of graphsOf(subject).entries()) {
      const layout = randomLayout(graph, i);
      const where = `${subject.name}, graph ${i}`;
      const [predicted, sent] = [predict(graph, layout).bytes, channelBytes(graph, layout)];
      if (isAlongAxes(graph)) {
        assert.ok(Math.abs(predicted - sent) < 1e-6 * (1 + sent), `${where}: ${predicted}, ${sent} are sent`);
        if (sent > 0) exact++;
      } else {
        assert.ok(0.85 * sent <= predicted && predicted <= 2 * sent, `${where}: ${predicted}, ${sent} are sent`);
        rough++;
      }
    }
  }
  assert.ok(exact > 100 && rough > 20, `${exact} exact, ${rough} rough`);
});

test('no layout is predicted below the bound: random ones, and the best that is found', async () => {
  await loadSolver();
  let close = 0;
  const graphs = [...(await fixtureSubjects()), ...(await randomSubjects(seeds(20)))].flatMap((subject) =>
    graphsOf(subject, heavyGraphOf),
  );
  for (const [i, graph] of graphs.entries()) {
    const { seconds: bound, shares } = boundOf(graph);
    assert.ok(bound > 0 && shares.length === graph.layers.length);
    const search = new Search(graph);
    search.start();
    const found = [search.best!.value, ...[1, 2, 3].map((n) => predict(graph, randomLayout(graph, n + i)).seconds)];
    for (const seconds of found) {
      assert.ok(seconds >= bound * (1 - 1e-6), `${graph.program.name}, graph ${i}: ${seconds}, not below ${bound}`);
    }
    if (search.best!.value < 2 * bound) close++;
  }
  assert.ok(close > graphs.length / 4, `${close} of ${graphs.length} found within twice the bound`);
});

test('by hand: the bound shares the work by speed where links are fast, and is what one device takes where they are not', async () => {
  await loadSolver();
  const subject = await built('chain', (g) => {
    const first = relu(g, conv(g, g.input('x', [1, 16, 64, 64]), 'conv1', 32, 3, { pad: 1 }), 'relu');
    g.output(conv(g, first, 'conv2', 16, 3, { pad: 1 }), 'y');
  });
  const bound = (bandwidth: string, burst = 0) => {
    const graph = graphOf(subject, withBurst(clusterOf({ a: 1, b: 3 }, 'a', bandwidth), burst));
    const alone = graph.layers.reduce((sum, { index, length }) => sum + graph.seconds(0, index, 0, length), 0);
    return boundOf(graph).seconds / alone;
  };
  assert.ok(Math.abs(bound('100 Gbit/s') - 1 / 4) < 0.02, `${bound('100 Gbit/s')} of one device`);
  assert.ok(Math.abs(bound('1 kbit/s') - 1) < 0.02, `${bound('1 kbit/s')} of one device`);
  assert.ok(Math.abs(bound('1 kbit/s', 1e7) - 1 / 4) < 0.02, 'all that is sent fits into a burst');
});

test('the bound says so where no links lead from the inputs to the outputs', async () => {
  await loadSolver();
  const subject = await built('one', (g) => g.output(conv(g, g.input('x', [1, 2, 8, 8]), 'conv', 2, 3), 'y'));
  const cluster = { ...clusterOf({ a: 1, b: 1 }, 'b'), links: [] };
  assert.equal(boundOf(graphOf(subject, cluster)), { seconds: NO_LINK, shares: [] });
});

test.run();
