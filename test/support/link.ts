/** A TCP link that a test can cut, freeze and make slow, between a device that calls and one that listens. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Bytes that are passed on at once: about a packet, so that a small message is not held up by a large one behind it. */
const CHUNK = 1500;
/** Seconds of sending below which it does not cut into pieces: a fast link has better to do. */
const FINEST = 1e-4;
/** ms of sending that a slow link may be ahead of its rate: what timers come late. */
const AHEAD = 2;

export class TestLink {
  /** Bytes per second of each direction. */
  rate = Number.POSITIVE_INFINITY;
  /** Bytes passed on in either direction. */
  passed = 0;
  readonly #sockets = new Set<Socket>();
  #frozen: (() => void)[] | undefined;
  #limit: { bytes: number; readonly act: () => void } | undefined;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {
    server.on('connection', (caller) => {
      const answerer = connect(this.port, '127.0.0.1');
      for (const socket of [caller, answerer]) {
        this.#sockets.add(socket);
        socket.setNoDelay(true);
        socket.on('error', () => {});
        socket.on('close', () => this.#sockets.delete(socket));
      }
      void this.#pump(caller, answerer);
      void this.#pump(answerer, caller);
    });
  }

  /** @param endpoint where the device listens, once there is one */
  static async to(endpoint: string): Promise<TestLink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new TestLink(server, Number(endpoint.split(':').at(-1)));
  }

  get endpoint(): string {
    const address = this.server.address();
    return `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** Ends all connections; new ones are taken. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Nothing passes any more, but connections stay. */
  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = undefined;
    for (const go of waiting) go();
  }

  /** Acts once, when so many more bytes have passed in both directions together. */
  after(bytes: number, act: () => void): void {
    this.#limit = { bytes, act };
  }

  close(): void {
    this.server.close();
    this.thaw();
    for (const socket of this.#sockets) socket.destroy();
  }

  /** One direction, until its sender ends it; a connection that breaks at one end breaks at the other. */
  async #pump(from: Socket, to: Socket): Promise<void> {
    try {
      if (await this.#pass(from, to)) to.end();
      else to.destroy();
    } catch {
      // The connection was reset.
      to.destroy();
    }
  }

  /** False: the rest does not pass. */
  async #pass(from: Socket, to: Socket): Promise<boolean> {
    let free = 0;
    for await (const bytes of from) {
      for (let at = 0; at < bytes.length; ) {
        const chunk = bytes.subarray(at, at + Math.max(CHUNK, Math.min(this.rate * FINEST, bytes.length)));
        at += chunk.length;
        free = Math.max(free, performance.now() - AHEAD) + (1000 * chunk.length) / this.rate;
        const wait = free - performance.now();
        if (wait > 0) await new Promise((go) => setTimeout(go, wait));
        if (this.#frozen) await new Promise<void>((go) => this.#frozen?.push(go));
        if (to.destroyed || !this.#count(chunk.length)) return false;
        if (!to.write(chunk)) await new Promise((go) => to.once('drain', go).once('close', go));
      }
    }
    return true;
  }

  /** False: the limit is reached, these bytes do not pass. */
  #count(bytes: number): boolean {
    const limit = this.#limit;
    if (limit) {
      limit.bytes -= bytes;
      if (limit.bytes < 0) {
        this.#limit = undefined;
        limit.act();
        return false;
      }
    }
    this.passed += bytes;
    return true;
  }
}
