/** A program on a slower machine than this one. */
import type { Device, Program } from '../../runtime/index.ts';

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** The same at a share of this machine's speed: after each segment it waits, and does nothing else, as long as it would still compute. */
export function slowed(program: Program, speed: number): Program {
  const slow = (device: Device): Device => ({
    ...device,
    segment: async (index, inputs) => {
      const begin = performance.now();
      const outputs = await device.segment(index, inputs);
      Atomics.wait(NEVER, 0, 0, (performance.now() - begin) * (1 / speed - 1));
      // The casts of a generic method: what comes is what the device itself gives.
      return outputs as never;
    },
  });
  return speed === 1 ? program : (device, inputs) => program(slow(device), inputs);
}
