/** Who may take part: checks what a peer says of itself, and waits until all have said it. */
import { createHmac } from 'node:crypto';
import { deferred } from './deferred.ts';
import { ShardonnxError } from './error.ts';
import { peerMissing, stopped } from './failures.ts';
import { PROTOCOL } from './frame.ts';

/** What a device says of itself in its hello. */
export interface Joinable {
  readonly device: string;
  readonly build: string;
}

/**
 * Why `other` may not work with `mine`; null if it may.
 * @param expected the names that are expected to speak on this connection
 */
export function refusal(
  mine: Joinable,
  other: Joinable & { readonly protocol: number },
  expected: readonly string[],
): ShardonnxError | null {
  const names = expected.join(', ');
  if (other.protocol !== PROTOCOL) {
    const message = `${mine.device} speaks protocol ${PROTOCOL}, ${short(other.device)} protocol ${other.protocol}`;
    return new ShardonnxError('protocol-mismatch', message, { hint: ONE_BUILD });
  }
  if (mine.build !== other.build) {
    const message = `${mine.device} is of build ${digest(mine.build)}, ${short(other.device)} of build ${digest(other.build)}`;
    return new ShardonnxError('build-mismatch', message, { hint: ONE_BUILD });
  }
  if (!expected.includes(other.device)) {
    const message = `${mine.device} met ${short(other.device)} where it expects ${names}`;
    return new ShardonnxError('unknown-peer', message, { hint: 'check --listen and --peer of both' });
  }
  return null;
}

/** What a device shows to be let in where there are no keys: who has the build can compute it. @param name used once */
export const passOf = (build: string, name: string): string =>
  createHmac('sha256', build).update(name).digest('base64url');

/** The code of the one refusal that is for good. */
export const DUPLICATE = 'duplicate-peer';

export const duplicatePeer = (mine: string, other: string) =>
  new ShardonnxError(DUPLICATE, `a second ${other} called ${mine}`, { hint: `run ${other} only once` });

export const notItsKey = (device: string) =>
  new ShardonnxError('key-mismatch', `who says to be ${short(device)} does not have its key`, { hint: ONE_KEY });

export const keyRefused = (by: string, device: string) =>
  new ShardonnxError('key-refused', `${by} does not take ${device}'s key`, { hint: ONE_KEY });

/** Without keys a device that has its peers takes no notice of others but those of its build. */
export const buildRefused = (by: string, { device, build }: Joinable) =>
  new ShardonnxError('build-mismatch', `${by} is not of build ${digest(build)}, which ${device} is of`, {
    hint: ONE_BUILD,
  });

const ONE_KEY = 'give all devices the public.json that "shardonnx keys" made, and each its own secret';

const digest = (build: string): string => short(build).slice(0, 12);

const ONE_BUILD = 'give all devices their folders of one and the same build';

/** What strangers say of themselves is not repeated at any length. */
const short = (text: string): string => JSON.stringify(text.slice(0, 64)).slice(1, -1);

/** Which peers are still to come, until all have been there at once. */
export class Joining {
  readonly #missing: Set<string>;
  readonly #done = deferred();
  #timer: NodeJS.Timeout | undefined;
  #open = true;

  constructor(
    private readonly device: string,
    peers: readonly string[],
  ) {
    this.#missing = new Set(peers);
    this.#resolveIfComplete();
  }

  /** Whether it still waits for some. */
  get open(): boolean {
    return this.#open;
  }

  /** Resolves once every peer has joined. @param where completes "waited 10 s for robot …" @throws peer-missing */
  within(seconds: number, where: (peer: string) => string): Promise<void> {
    this.#timer = setTimeout(() => {
      const missing = [...this.#missing];
      this.fail(peerMissing(this.device, missing, where(missing[0] ?? ''), seconds));
    }, seconds * 1000);
    return this.#done.promise.finally(() => clearTimeout(this.#timer));
  }

  joined(peer: string): void {
    this.#missing.delete(peer);
    this.#resolveIfComplete();
  }

  /** It had joined, and went before all others had. */
  left(peer: string): void {
    this.#missing.add(peer);
  }

  fail(error: ShardonnxError): void {
    this.#open = false;
    this.#done.reject(error);
  }

  cancel(): void {
    this.fail(stopped(this.device));
  }

  #resolveIfComplete(): void {
    if (this.#missing.size > 0) return;
    this.#open = false;
    this.#done.resolve();
  }
}
