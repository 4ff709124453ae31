/** A worker that does what it is told: answers, dies, or hangs. */
import { serve } from './workers.ts';

export interface Order {
  readonly say: string;
  readonly act: 'answer' | 'die' | 'hang';
}

serve<Order, string>(async ({ say, act }, stage) => {
  stage(say);
  if (act === 'die') process.exit(3);
  if (act === 'hang') await new Promise(() => setInterval(() => {}, 1000));
  return say;
});
