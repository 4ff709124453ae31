/** The devices that one device talks to: which of them are there now, and what all of them are told. */
import type { ShardonnxError } from './error.ts';
import type { AbortFrame } from './frame.ts';
import type { DeviceManifest } from './manifest.ts';
import { type PeerFrame, peersOf, type Transport } from './transport.ts';

/** Failed inferences that are kept in mind; what is said of older ones does not come any more. */
const REMEMBERED = 1024;

export class Peers {
  readonly names: readonly string[];
  readonly #present = new Set<string>();
  /** Why those that were there are not any more. */
  readonly #left = new Map<string, ShardonnxError>();
  /** Inferences whose failure the peers know of. */
  readonly #failed = new Set<number>();

  constructor(
    manifest: DeviceManifest,
    private readonly transport: Transport,
  ) {
    this.names = peersOf(manifest);
  }

  /** Whether all are there. */
  get complete(): boolean {
    return this.#present.size === this.names.length;
  }

  present(): Record<string, boolean> {
    return Object.fromEntries(this.names.map((name) => [name, this.#present.has(name)]));
  }

  /** Why one of these is not there; null if all are. */
  missing(names: readonly string[] = this.names): ShardonnxError | null {
    for (const name of names) {
      const error = this.#present.has(name) ? undefined : this.#left.get(name);
      if (error) return error;
    }
    return null;
  }

  join(peer: string): void {
    this.#present.add(peer);
    this.#left.delete(peer);
  }

  /** False: it was not there. */
  leave(peer: string, error: ShardonnxError): boolean {
    const there = this.#present.delete(peer);
    // The first reason tells most: a peer that stops says so before its connection ends.
    if (there) this.#left.set(peer, error);
    return there;
  }

  tell(peer: string, frame: PeerFrame): void {
    if (this.#present.has(peer)) this.transport.send(peer, frame);
  }

  /** Tells all that are there. */
  tellAll(frame: PeerFrame | { readonly kind: 'bye' }, except: readonly string[] = []): void {
    for (const peer of this.#present) if (!except.includes(peer)) this.transport.send(peer, frame);
  }

  /** Tells that a device failed, but not that device, nor the one that told this one. */
  abort(frame: AbortFrame, from?: string): void {
    if (frame.inference !== null) this.knowOfFailure(frame.inference);
    this.tellAll(frame, [frame.device, ...(from === undefined ? [] : [from])]);
  }

  /** They need not be told that this inference failed. */
  knowOfFailure(inference: number): void {
    this.#failed.add(inference);
    for (const old of this.#failed) if (old < inference - REMEMBERED) this.#failed.delete(old);
  }

  haveHeardOf(inference: number): boolean {
    return this.#failed.has(inference);
  }
}
