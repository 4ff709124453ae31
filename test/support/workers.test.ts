/** Workers that die or hang lose their job and nothing else. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Order } from './moody-worker.ts';
import { spread } from './workers.ts';

test('outcomes are in the order of the jobs; what became of a lost one is told', async () => {
  const jobs: Order[] = ['a', 'b', 'c', 'd', 'e', 'f'].map((say) => ({ say, act: 'answer' }));
  jobs[1] = { say: 'b', act: 'die' };
  jobs[3] = { say: 'd', act: 'hang' };
  const done: string[] = [];
  const outcomes = await spread<Order, string>({
    script: new URL('moody-worker.ts', import.meta.url),
    jobs,
    workers: 2,
    seconds: 3,
    lost: ({ say }, { stage, why, hung }) => `${say} at ${stage}: ${why}, ${hung}`,
    done: (outcome) => done.push(outcome),
  });
  const lost = ['b at b: the process ended with 3, false', 'd at d: no end within 3 s, true'];
  assert.equal(outcomes, ['a', lost[0], 'c', lost[1], 'e', 'f']);
  assert.equal(done.toSorted(), outcomes.toSorted());
});

test('no jobs', async () => {
  const script = new URL('moody-worker.ts', import.meta.url);
  assert.equal(await spread<Order, string>({ script, jobs: [], workers: 2, seconds: 3, lost: () => 'lost' }), []);
});

test.run();
