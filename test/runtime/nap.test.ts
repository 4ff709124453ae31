/** ZeroMQ's threads do not interrupt one that computes, and a nap is as short as it is meant to be. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { zeromq } from '../../runtime/modules.ts';
import { nap } from '../../runtime/nap.ts';

const test = suite('nap');

const SCHED_BATCH = 3;
const isLinux = process.platform === 'linux';

/** Of this process's threads of that name, see proc(5). */
const policies = (name: string): number[] =>
  readdirSync('/proc/self/task').flatMap((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8');
    if (!stat.includes(`(${name}`)) return [];
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]);
  });

(isLinux ? test : test.skip)('threads that move bytes take their turn', async () => {
  const { Dealer } = zeromq();
  const socket = new Dealer();
  // A thread gives itself first its policy, then its name.
  let found: number[] = [];
  for (const end = performance.now() + 5000; found.length === 0 && performance.now() < end; await sleep(10)) {
    found = policies('ZMQbg/IO');
  }
  socket.close();
  assert.ok(found.length > 0);
  assert.ok(found.every((policy) => policy === SCHED_BATCH));
});

(isLinux ? test : test.skip)('the system does not prolong naps', () => {
  nap();
  assert.is(Number(readFileSync('/proc/self/timerslack_ns', 'utf8')), 1);
});

test.run();
