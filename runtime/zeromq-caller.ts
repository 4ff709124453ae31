/** The connecting end: one DEALER socket a peer. */
import { randomUUID } from 'node:crypto';
import type { Dealer } from 'zeromq';
import { ShardonnxError } from './error.ts';
import { decodeFrame, type Frame, type Malformed } from './frame.ts';
import { keyRefused, refusal } from './handshake.ts';
import { zeromq } from './modules.ts';
import { GRACE, isEndpoint, LINGER, type Parts, reject, type Wire } from './zeromq-wire.ts';

export class Caller {
  /** Why it has not joined, as far as is known: completes "waited for server at tcp://…". */
  trouble = '';
  readonly #socket: Dealer;
  readonly #routingId: string;
  #joined = false;
  #closed = false;
  #verdict: NodeJS.Timeout | undefined;

  /** @throws bad-endpoint */
  constructor(
    private readonly wire: Wire,
    /** Who is expected there. */
    private readonly peer: string,
    endpoint: string,
  ) {
    if (!isEndpoint(endpoint) || endpoint.endsWith('*')) throw badEndpoint(peer, endpoint, undefined);
    const { Dealer } = zeromq();
    // Unique, and not the name: ROUTER silently ignores a second peer of the same id, which could then not be told why.
    this.#routingId = `${wire.manifest.device.slice(0, 100)}/${randomUUID()}`;
    this.#socket = new Dealer({
      ...wire.socketOptions(endpoint),
      ...(wire.keys && { ...wire.keys.own(), curveServerKey: wire.keys.of(peer) }),
      routingId: this.#routingId,
      reconnectInterval: 100,
    });
    void this.#watch();
    void this.#read();
    try {
      this.#socket.connect(endpoint);
    } catch (cause) {
      this.close();
      throw badEndpoint(peer, endpoint, cause);
    }
  }

  /** Goes nowhere as long as the two have not shaken hands. */
  send(parts: Parts): void {
    if (this.#joined) this.#send(parts);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#verdict);
    // There is no use in waiting for a peer that is gone.
    this.#socket.linger = this.#verdict ? 0 : LINGER;
    this.#socket.close();
  }

  #send(parts: Parts): void {
    // With sendTimeout 0 and no high-water mark a DEALER that was connected once takes everything.
    if (!this.#closed) void this.#socket.send([...parts]);
  }

  async #read(): Promise<void> {
    for await (const parts of this.#socket) this.#take(decodeFrame(parts));
  }

  #take(frame: Frame | Malformed): void {
    const { joining, manifest, dropped } = this.wire;
    if (this.#joined || frame.kind === 'reject') {
      this.wire.dispatch(this.peer, frame);
    } else if (frame.kind === 'hello') {
      const error = refusal(manifest, frame, [this.peer]);
      if (error) {
        this.#send(reject(error));
        joining.fail(error);
        return;
      }
      this.#joined = true;
      joining.joined(this.peer);
    } else {
      dropped.add(`${this.peer} sent something before its hello`);
    }
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.#socket.events) {
      if (this.#closed) continue;
      if (type === 'handshake' && !this.#joined) this.#send(this.#hello());
      if (type === 'disconnect' && this.#joined) this.#broke();
      if (type.startsWith('handshake:error')) this.#refused(type);
    }
  }

  #hello(): Parts {
    const { keys, manifest } = this.wire;
    return this.wire.hello(keys?.proof(this.peer, this.wire.claim(manifest.device, this.#routingId)));
  }

  /** Below all frames: what is there does not speak as this device does. */
  #refused(type: string): void {
    const { joining, manifest, dropped } = this.wire;
    dropped.add(`what listens for ${this.peer} broke off the handshake (${type})`);
    if (type === 'handshake:error:auth' && joining.open) joining.fail(keyRefused(this.peer, manifest.device));
    this.trouble = ', where the handshake breaks off: both need keys of one "shardonnx keys", or neither';
  }

  #broke(): void {
    const { joining } = this.wire;
    if (joining.open) {
      // It may come back while others are still missing; ZeroMQ keeps trying.
      this.#joined = false;
      joining.left(this.peer);
      return;
    }
    this.#verdict ??= setTimeout(() => this.wire.lost(this.peer), GRACE);
  }
}

function badEndpoint(peer: string, endpoint: string, cause: unknown): ShardonnxError {
  const message = `${endpoint} is no address at which ${peer} could be reached`;
  return new ShardonnxError('bad-endpoint', message, { hint: 'write it as tcp://ADDRESS:PORT', cause });
}
