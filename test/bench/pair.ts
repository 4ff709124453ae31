/** Devices of a build as processes of a testbed's hosts, which infer when they are told to. */
import { type Feeding, feederArguments } from './feeder.ts';
import { MeasuredProcess } from './measured-process.ts';
import type { Testbed } from './testbed/testbed.ts';

/** Seconds; a device that another one waits for may have to load half a gigabyte. */
const PATIENCE = 120;

/** The only device of a build, ready. @param host another one than its name says */
export function aloneOf(
  testbed: Testbed,
  build: string,
  device: string,
  inFlight: number,
  host: string = device,
): Promise<MeasuredProcess> {
  const args = feederArguments({ build, device, peers: {}, timeout: PATIENCE, inFlight });
  return MeasuredProcess.of(testbed.spawn(host, process.execPath, args));
}

export type Pair = readonly [caller: MeasuredProcess, listener: MeasuredProcess];

export interface PairOptions {
  readonly inFlight?: number;
  readonly trace?: boolean;
  /** At which the second one listens: builds that run side by side need one each. */
  readonly port?: number;
  /** The caller's. */
  readonly speed?: Feeding['speed'];
}

/** Both devices of a build, ready. @param devices the first holds inputs and outputs */
export async function pairOf(
  testbed: Testbed,
  build: string,
  [caller, listener]: readonly [string, string],
  { inFlight = 1, trace = false, port = 7000, speed }: PairOptions = {},
): Promise<Pair> {
  const common = { build, timeout: PATIENCE, connect: PATIENCE, inFlight, trace };
  const listen = await testbed.listen(listener, port);
  const endpoint = await testbed.endpoint(listener, port, caller);
  const own = feederArguments({ ...common, device: caller, peers: { [listener]: endpoint }, ...(speed && { speed }) });
  const other = feederArguments({ ...common, device: listener, peers: {}, listen });
  return Promise.all([
    MeasuredProcess.of(testbed.spawn(caller, process.execPath, own)),
    MeasuredProcess.of(testbed.spawn(listener, process.execPath, other)),
  ]);
}
