/** Whether objects are still held by anything: their number after a garbage collection, not the memory of a process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect: () => void = runInNewContext('gc');

/** How many of what they refer to cannot be collected. */
export async function countHeld(references: readonly WeakRef<object>[]): Promise<number> {
  // What is settled lets go of its last references in later turns of the event loop.
  for (let turn = 0; turn < 3; turn++) {
    await sleep(10);
    collect();
  }
  return references.filter((reference) => reference.deref() !== undefined).length;
}
