/** The devices that one device talks to: which of them are still there, and what all of them are told. */
import type { AbortFrame } from './frame.ts';
import type { DeviceManifest } from './manifest.ts';
import { type PeerFrame, peersOf, type Transport } from './transport.ts';

/** Failed inferences that are kept in mind; what is said of older ones does not come any more. */
const REMEMBERED = 1024;

export class Peers {
  readonly names: readonly string[];
  readonly #left = new Set<string>();
  /** Inferences whose failure the peers know of. */
  readonly #failed = new Set<number>();

  constructor(
    manifest: DeviceManifest,
    private readonly transport: Transport,
  ) {
    this.names = peersOf(manifest);
  }

  /** One that is not there any more. */
  get missing(): string | undefined {
    const [first] = this.#left;
    return first;
  }

  present(): Record<string, boolean> {
    return Object.fromEntries(this.names.map((name) => [name, !this.#left.has(name)]));
  }

  /** False: it had left before. */
  leave(peer: string): boolean {
    const there = !this.#left.has(peer);
    this.#left.add(peer);
    return there;
  }

  /** Tells all that are there. */
  tell(frame: PeerFrame | { readonly kind: 'bye' }, except: readonly string[] = []): void {
    for (const peer of this.names) {
      if (!this.#left.has(peer) && !except.includes(peer)) this.transport.send(peer, frame);
    }
  }

  /** Tells that a device failed, but not that device, nor the one that told this one. */
  abort(frame: AbortFrame, from?: string): void {
    if (frame.inference !== null) this.knowOfFailure(frame.inference);
    this.tell(frame, [frame.device, ...(from === undefined ? [] : [from])]);
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
