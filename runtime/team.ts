/** All devices of a build at work on this machine, in one process or one process a device. */
import { setTimeout as sleep } from 'node:timers/promises';
import { deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { errorOf, plainError } from './ipc.ts';
import type { DeviceManifest } from './manifest.ts';
import type { NamedTensors } from './program.ts';
import type { DeviceStats } from './stats.ts';
import type { DeviceTrace } from './trace.ts';
import type { Timeouts } from './transport.ts';

export interface TeamSetup {
  /** The build's folder; each device's is inside. */
  readonly directory: string;
  readonly manifests: readonly DeviceManifest[];
  /** onnxruntime's. */
  readonly threads: (manifest: DeviceManifest) => number;
  /** For each device, of this machine's. */
  readonly cores: number;
  readonly timeouts: Timeouts;
  /** The plan to use, by its index, whatever the bandwidth. */
  readonly plan: number | undefined;
  /** The most inferences at once. */
  readonly inFlight: number;
  readonly trace: boolean;
}

export interface Outcome {
  readonly outputs: NamedTensors;
  /** From the start on the device that holds the inputs until the outputs were there. */
  readonly ms: number;
}

export interface Team {
  /** At most as many at once as the setup says; they resolve in order. After a rejection nothing of the team is left. */
  infer(inputs: NamedTensors): Promise<Outcome>;
  stats(): Promise<DeviceStats[]>;
  /** Empty unless the setup asks for traces. */
  trace(): Promise<DeviceTrace[]>;
  close(): Promise<void>;
}

/** Codes of failures that another device's failure brings about. */
const EFFECTS = ['peer-failed', 'peer-lost', 'peer-missing', 'receive-timeout', 'inference-timeout', 'stopped'];

/** ms that a cause may come after its effects. */
const SETTLE = 300;

/** What went wrong in a team, of which one is the cause. */
export class Failures {
  /** Resolves, once there was a failure, with the one that tells most. */
  readonly cause: Promise<unknown>;
  readonly #happened = deferred();
  readonly #errors: unknown[] = [];
  /** Reject what is guarded and still at work. */
  readonly #guarded = new Set<(cause: unknown) => void>();

  constructor() {
    this.cause = this.#happened.promise.then(() => this.#settle());
    void this.cause.then((cause) => {
      for (const reject of this.#guarded) reject(cause);
    });
  }

  get happened(): boolean {
    return this.#errors.length > 0;
  }

  add(device: string, error: unknown): void {
    this.#errors.push(error instanceof ShardonnxError ? errorOf(device, plainError(error)) : error);
    this.#happened.resolve();
  }

  /**
   * Settles like `work`, or rejects with the cause as soon as something fails. Not by Promise.race: that keeps every result
   * for as long as the cause may still come.
   */
  guard<T>(device: string, work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.happened) void this.cause.then(reject);
      else this.#guarded.add(reject);
      work.then(
        (result) => {
          this.#guarded.delete(reject);
          resolve(result);
        },
        (error) => this.add(device, error),
      );
    });
  }

  async #settle(): Promise<unknown> {
    const isEffect = (error: unknown) => error instanceof ShardonnxError && EFFECTS.includes(error.code);
    const cause = () => this.#errors.find((error) => !isEffect(error));
    for (const end = Date.now() + SETTLE; cause() === undefined && Date.now() < end; ) await sleep(10);
    return cause() ?? this.#errors[0];
  }
}
