/** A device as others see it: what it is told to do, and what it can be asked. */
import type { Log } from './log.ts';
import type { DeviceManifest } from './manifest.ts';
import type { NamedTensors, Program } from './program.ts';
import type { Result } from './results.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';

/** What a device does, and how. */
export interface Behaviour {
  /** One; or one a plan, in the order of device.json. */
  readonly program: Program | readonly Program[];
  /** The plan to use, by its index, whatever the bandwidth. */
  readonly plan?: number;
  /** Inferences at once, twice the number of devices if not given: one that each computes, one that travels to each. */
  readonly inFlight?: number;
  /** Whether to record what is done and when. */
  readonly trace?: boolean;
  /** Told of each inference that failed on this device without being asked for here. */
  readonly onFailure?: (inference: number, error: unknown) => void;
  readonly log?: Log;
  /** Whether it goes on when it loses a peer, and takes it in again when it is back; true. */
  readonly rejoin?: boolean;
  /** Whether it goes on when the holder of the inputs stops; false. */
  readonly stay?: boolean;
}

export interface OpenDevice {
  readonly manifest: DeviceManifest;
  /**
   * Only on the device that holds the inputs. Resolves with what this device holds of the outputs, in the order of calls; when
   * as many inferences as may be are in flight, further ones wait. A peer that is not there rejects at once.
   * @throws unknown-input, missing-input, input-shape, input-dtype, segment-failed, peer-failed, peer-lost, receive-timeout, inference-timeout, not-ready, bad-frame
   */
  infer(inputs: NamedTensors): Promise<NamedTensors>;
  /** On a device that holds outputs but no inputs: what comes, in order, until the device stops. */
  results(): AsyncIterable<Result, undefined>;
  /** Only on the device that holds the inputs: resolves when an inference can start. @throws not-ready, stopped, why it cannot go on */
  ready(seconds: number): Promise<void>;
  /** Resolves when the device was stopped, here or by the holder of the inputs; rejects when it cannot go on. */
  readonly stopped: Promise<void>;
  /** Lets running inferences end, tells the peers. */
  close(): Promise<void>;
  stats(): DeviceStats;
  /** What it did and when; null unless it was asked to record that. */
  trace(): DeviceTrace | null;
  /** Uses this plan from the next inference on, by its index; null: by bandwidth. */
  use(plan: number | null): void;
  /** Which of those it talks to are still there. */
  peers(): Readonly<Record<string, boolean>>;
}
