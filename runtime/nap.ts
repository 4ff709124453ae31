/** How onnxruntime's threads and ZeroMQ's share a device's cores. */
import { writeFileSync } from 'node:fs';
import type { Context } from 'zeromq';

/**
 * ms that the event loop gives up its core, for ZeroMQ's thread to take it: the system lets a thread that computes go on for up to
 * 4 ms although another one has woken up, and a message sent before a segment waited 2 ms. ZeroMQ's thread keeps it while it writes.
 */
const NAP = 0.05;
const never = new Int32Array(new SharedArrayBuffer(4));
let punctual = false;

export function nap(): void {
  if (!punctual) beCalledInTime();
  punctual = true;
  Atomics.wait(never, 0, 0, NAP);
}

/** Linux wakes a thread up to 50 µs later than it asked for: naps would take twice as long. */
function beCalledInTime(): void {
  try {
    writeFileSync('/proc/self/timerslack_ns', '1');
  } catch {
    // Another system, or one that does not allow it.
  }
}

/** @param threads onnxruntime's; null: as many as there are cores */
export const leavesCore = (threads: number | null, cores: number): boolean => threads !== null && threads < cores;

/** Linux's number of it. */
const SCHED_BATCH = 3;

/**
 * The threads of the context's sockets do not interrupt a thread that computes whenever a packet has come: they take their turn when
 * it waits, or has had its share of the core, and then find all that has come. Measured on EfficientNet-B0 in two stages on one core
 * each: 9 of these interruptions an inference → 3, 4 % more inferences a second; on 40 segments that exchange halos 2 % more.
 */
export function giveWay(context: Context): void {
  if (process.platform === 'linux') context.threadSchedulingPolicy = SCHED_BATCH;
}
