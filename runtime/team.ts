/** All devices of a build at work on this machine, in one process or one process a device. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShardonnxError } from './error.ts';
import { errorOf, plainError } from './ipc.ts';
import type { DeviceManifest } from './manifest.ts';
import type { Tensor } from './program.ts';
import type { DeviceStats } from './stats.ts';
import type { Timeouts } from './transport.ts';

export interface TeamSetup {
  /** The build's folder; each device's is inside. */
  readonly directory: string;
  readonly manifests: readonly DeviceManifest[];
  /** onnxruntime's. */
  readonly threads: (manifest: DeviceManifest) => number;
  readonly timeouts: Timeouts;
}

export interface Outcome {
  readonly outputs: Readonly<Record<string, Tensor>>;
  /** From the start on the device that holds the inputs until the outputs were there. */
  readonly ms: number;
}

export interface Team {
  /** One at a time. After a rejection nothing of the team is left. */
  infer(inputs: Readonly<Record<string, Tensor>>): Promise<Outcome>;
  stats(): Promise<DeviceStats[]>;
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
  readonly #errors: unknown[] = [];
  #happen: () => void = () => {};

  constructor() {
    const happened = new Promise<void>((resolve) => {
      this.#happen = resolve;
    });
    this.cause = happened.then(() => this.#settle());
  }

  get happened(): boolean {
    return this.#errors.length > 0;
  }

  add(device: string, error: unknown): void {
    this.#errors.push(error instanceof ShardonnxError ? errorOf(device, plainError(error)) : error);
    this.#happen();
  }

  /** Settles like `work`, or rejects with the cause as soon as something fails. */
  async guard<T>(device: string, work: Promise<T>): Promise<T> {
    const failed = this.cause.then((cause) => {
      throw cause;
    });
    failed.catch(() => {});
    const own = work.catch((error) => {
      this.add(device, error);
      return failed;
    });
    return Promise.race([own, failed]);
  }

  async #settle(): Promise<unknown> {
    const isEffect = (error: unknown) => error instanceof ShardonnxError && EFFECTS.includes(error.code);
    const cause = () => this.#errors.find((error) => !isEffect(error));
    for (const end = Date.now() + SETTLE; cause() === undefined && Date.now() < end; ) await sleep(10);
    return cause() ?? this.#errors[0];
  }
}
