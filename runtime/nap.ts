/** What a device does for ZeroMQ's threads where onnxruntime takes all of its cores. */

/**
 * ms that the event loop gives up its core, for ZeroMQ's thread to take it: the system lets a thread that computes go on for up to
 * 4 ms although another one has woken up, and a message sent before a segment waited 2 ms. ZeroMQ's thread keeps it while it writes.
 */
const NAP = 0.05;
const never = new Int32Array(new SharedArrayBuffer(4));

export const nap = (): void => void Atomics.wait(never, 0, 0, NAP);

/** @param threads onnxruntime's; null: as many as there are cores */
export const leavesCore = (threads: number | null, cores: number): boolean => threads !== null && threads < cores;
