/** Whether objects are still held by anything: their number after a garbage collection, not the memory of a process. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

/** What is settled lets go of its last references in later turns of the event loop. */
export async function collect(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await sleep(10);
    gc();
  }
}

/** How many of what they refer to cannot be collected. */
export async function countHeld(references: readonly WeakRef<object>[]): Promise<number> {
  await collect();
  return references.filter((reference) => reference.deref() !== undefined).length;
}
