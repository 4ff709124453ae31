/** The connecting end: one DEALER socket a peer, another one after each break. */
import { randomUUID } from 'node:crypto';
import type { Dealer } from 'zeromq';
import { ShardonnxError } from './error.ts';
import { decodeMessage, type Frame, type Malformed } from './frame.ts';
import { buildRefused, keyRefused, passOf, refusal } from './handshake.ts';
import { Outbox } from './outbox.ts';
import { dealer } from './zeromq-sockets.ts';
import { GRACE, isEndpoint, LINGER, type Parts, reject, type Wire } from './zeromq-wire.ts';

/** ms after which a peer that refused this device is asked again. */
const REFUSED = 1000;

/** One connection of several that follow each other. */
interface Connection {
  readonly socket: Dealer;
  readonly outbox: Outbox;
  readonly routingId: string;
  /** This device has said what it is. */
  greeted: boolean;
  /** Both have. */
  joined: boolean;
}

export class Caller {
  /** Why it has not joined, as far as is known: completes "waited for server at tcp://…". */
  trouble = '';
  #connection: Connection;
  #closed = false;
  #renewal: NodeJS.Timeout | undefined;

  /** @throws bad-endpoint */
  constructor(
    private readonly wire: Wire,
    /** Who is expected there. */
    private readonly peer: string,
    private readonly endpoint: string,
  ) {
    if (!isEndpoint(endpoint) || endpoint.endsWith('*')) throw badEndpoint(peer, endpoint, undefined);
    this.#connection = this.#connect();
  }

  /** Goes nowhere as long as the two have not shaken hands. */
  send(parts: Parts): void {
    if (this.#connection.joined) this.#send(this.#connection, parts);
  }

  /** What was sent is handed to ZeroMQ. */
  flush(): void {
    this.#connection.outbox.flush();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#renewal);
    const { socket } = this.#connection;
    this.flush();
    // There is no use in waiting for a peer that is gone.
    socket.linger = this.#renewal ? 0 : LINGER;
    socket.close();
  }

  #connect(): Connection {
    const { keys, manifest } = this.wire;
    // Unique, and not the name: ROUTER silently ignores a second peer of the same id, which could then not be told why.
    const routingId = `${manifest.device.slice(0, 100)}/${randomUUID()}`;
    const socket = dealer({
      ...this.wire.socketOptions(this.endpoint),
      ...(keys
        ? { ...keys.own(), curveServerKey: keys.of(this.peer) }
        : { plainUsername: routingId, plainPassword: passOf(manifest.build, routingId) }),
      routingId,
      reconnectInterval: 100,
    });
    // With sendTimeout 0 and no high-water mark a DEALER that was connected once takes everything.
    const outbox = new Outbox((parts) => {
      if (!socket.closed) socket.send(parts).catch(() => {});
    });
    const connection = { socket, outbox, routingId, greeted: false, joined: false };
    void this.#watch(connection);
    void this.#read(connection);
    try {
      socket.connect(this.endpoint);
    } catch (cause) {
      socket.close();
      throw badEndpoint(this.peer, this.endpoint, cause);
    }
    return connection;
  }

  #send({ outbox }: Connection, [header, payload]: Parts): void {
    outbox.add(header, payload);
  }

  async #read(connection: Connection): Promise<void> {
    for await (const parts of connection.socket) {
      for (const frame of decodeMessage(parts)) this.#take(connection, frame);
    }
  }

  #take(connection: Connection, frame: Frame | Malformed): void {
    const { joining, manifest, dropped } = this.wire;
    if (frame.kind === 'reject') {
      // Not at once again: what it refused does not change so soon.
      this.#renewAfter(connection, REFUSED);
    }
    if (connection.joined || frame.kind === 'reject') {
      this.wire.dispatch(this.peer, frame, (parts) => this.#send(connection, parts));
    } else if (frame.kind === 'hello') {
      const error = refusal(manifest, frame, [this.peer]);
      if (error) {
        this.#send(connection, reject(error));
        joining.fail(error);
        return;
      }
      connection.joined = true;
      this.wire.joined(this.peer, frame);
    } else {
      dropped.add(`${this.peer} sent something before its hello`);
    }
  }

  async #watch(connection: Connection): Promise<void> {
    for await (const { type } of connection.socket.events) {
      if (this.#closed || connection !== this.#connection) continue;
      if (type === 'handshake') {
        connection.greeted = true;
        this.#send(connection, this.#hello(connection));
      }
      // What the peer said before is still in the socket.
      if (type === 'disconnect' && connection.greeted) this.#renewAfter(connection, GRACE);
      if (type.startsWith('handshake:error')) this.#refused(connection, type);
    }
  }

  #hello({ routingId }: Connection): Parts {
    const { keys, manifest } = this.wire;
    return this.wire.hello(keys?.proof(this.peer, this.wire.claim(manifest.device, routingId)));
  }

  /** Below all frames: what is there does not speak as this device does. */
  #refused(connection: Connection, type: string): void {
    // What ZeroMQ tries again before there is a new connection shows a name that has been used.
    if (this.#renewal) return;
    const { joining, manifest, dropped, keys } = this.wire;
    dropped.add(`what listens for ${this.peer} broke off the handshake (${type})`);
    if (type === 'handshake:error:auth' && joining.open) {
      joining.fail(keys ? keyRefused(this.peer, manifest.device) : buildRefused(this.peer, manifest));
    }
    // ZeroMQ itself tries again only where the connection was lost.
    if (type !== 'handshake:error:other') this.#renewAfter(connection, REFUSED);
    this.trouble = ', where the handshake breaks off: both need keys of one "shardonnx keys", or neither';
  }

  /**
   * ZeroMQ would connect the same socket again and go on, with what was queued but without what was lost: the peers could not
   * tell where they are. With a new one they begin anew.
   */
  #renewAfter(connection: Connection, delay: number): void {
    if (this.#closed || connection !== this.#connection) return;
    this.#renewal ??= setTimeout(() => {
      this.#renewal = undefined;
      connection.socket.close();
      this.#connection = this.#connect();
      if (connection.joined) this.wire.lost(this.peer);
    }, delay);
  }
}

function badEndpoint(peer: string, endpoint: string, cause: unknown): ShardonnxError {
  const message = `${endpoint} is no address at which ${peer} could be reached`;
  return new ShardonnxError('bad-endpoint', message, { hint: 'write it as tcp://ADDRESS:PORT', cause });
}
