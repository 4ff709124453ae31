/** What is sent in one turn of the event loop is one message where it is small, in order, and nothing waits for longer. */
import { setImmediate as turn } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Outbox } from '../../runtime/outbox.ts';

const test = suite('outbox');

/** Payloads' sizes, of each message that was sent. */
function outbox() {
  const sent: number[][] = [];
  const box = new Outbox((parts) => {
    assert.ok(parts.every((part, i) => i % 2 > 0 || String(part) === 'header'));
    sent.push(parts.filter((_, i) => i % 2 > 0).map(({ length }) => length));
  });
  const add = (...sizes: number[]) => {
    for (const size of sizes) box.add(Buffer.from('header'), Buffer.alloc(size));
  };
  return { sent, add, flush: () => box.flush() };
}

test('small frames of one turn go together, also those that promises lead to', async () => {
  const { sent, add } = outbox();
  // Programs go on where a promise was kept.
  await turn();
  add(0, 64);
  const later = Promise.resolve().then(() => Promise.resolve().then(() => add(7)));
  assert.equal(sent, []);
  await later;
  await turn();
  assert.equal(sent, [[0, 64, 7]]);
  add(1);
  await turn();
  assert.equal(sent, [[0, 64, 7], [1]]);
});

test('a large frame waits for nothing, and nothing for it', async () => {
  const { sent, add } = outbox();
  add(8, 5000, 16);
  assert.equal(sent, [[8], [5000]]);
  await turn();
  assert.equal(sent, [[8], [5000], [16]]);
});

test('a thousand scores take along what comes after them', async () => {
  const { sent, add } = outbox();
  add(4000);
  await Promise.resolve().then(() => add(0));
  await turn();
  assert.equal(sent, [[4000, 0]]);
});

test('many small frames are several messages, in order', async () => {
  const { sent, add } = outbox();
  add(1500, 1501, 1502, 1503);
  await turn();
  assert.equal(sent, [
    [1500, 1501],
    [1502, 1503],
  ]);
});

test('what is left is sent before the end, once', async () => {
  const { sent, add, flush } = outbox();
  add(5);
  flush();
  flush();
  await turn();
  assert.equal(sent, [[5]]);
});

test.run();
