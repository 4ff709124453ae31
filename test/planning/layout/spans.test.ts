/** Spans of a sketch that is a changed other one: what is taken over from it is what would be found anew. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { SpanFinder } from '../../../compiler/planning/layout/spans.ts';
import { Dice } from './dice.ts';
import { randomSketch } from './random-sketch.ts';
import { graphsOf, randomSubjects, seeds } from './subjects.ts';

const test = suite('spans');

test('what a changed sketch has in common with the one before is not found again, and comes to the same', async () => {
  let changes = 0;
  for (const subject of await randomSubjects(seeds(6))) {
    for (const graph of graphsOf(subject)) {
      const finder = new SpanFinder(graph);
      for (let seed = 1; seed <= 5; seed++) {
        const dice = new Dice(seed);
        const [before, other] = [randomSketch(graph, seed), randomSketch(graph, seed + 100)];
        const first = dice.below(graph.layers.length);
        const end = dice.between(first + 1, graph.layers.length);
        const after = {
          ...before,
          layers: before.layers.map((one, i) => (first <= i && i < end ? other.layers[i]! : one)),
        };
        const known = finder.find(before);
        const found = finder.find(after, known);
        assert.equal(found, finder.find(after), `${subject.name}, seed ${seed}`);
        assert.equal(known, finder.find(before), 'what it is made of stays as it was');
        if (found.end.some((at, i) => at !== known.end[i])) changes++;
      }
    }
  }
  assert.ok(changes > 50, `${changes} changes`);
});

test.run();
