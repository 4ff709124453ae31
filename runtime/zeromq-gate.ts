/** Who may connect to a listening socket, asked by ZeroMQ before it takes a connection (ZAP, RFC 27). */
import type { Context, Reply } from 'zeromq';
import { passOf } from './handshake.ts';
import { zeromq } from './modules.ts';
import { giveWay } from './nap.ts';
import { callersOf } from './transport.ts';
import type { Wire } from './zeromq-wire.ts';

/** Names of former callers that are kept in mind. */
const REMEMBERED = 10_000;

/**
 * Nobody but the build's devices gets through ZeroMQ's handshake, without keys at least once they have joined: of what comes before
 * it ZeroMQ keeps nothing, but a stranger behind it could fill this device's memory. With keys a caller shows its own (CURVE),
 * without them that it knows the build (PLAIN).
 */
export class Gate {
  /** For the sockets that this gate guards: a context has one gate. */
  readonly context: Context;
  readonly #socket: Reply;
  /** By which callers without keys have come in. */
  readonly #names = new Set<string>();

  private constructor(private readonly wire: Wire) {
    const { Context, Reply } = zeromq();
    this.context = new Context();
    giveWay(this.context);
    this.#socket = new Reply({ context: this.context, linger: 0 });
  }

  static async open(wire: Wire): Promise<Gate> {
    const gate = new Gate(wire);
    await gate.#socket.bind('inproc://zeromq.zap.01');
    void gate.#answer();
    return gate;
  }

  /** Options of the sockets that it guards. */
  get options() {
    const { keys } = this.wire;
    const mechanism = keys ? { curveServer: true, curveSecretKey: keys.own().curveSecretKey } : { plainServer: true };
    return { context: this.context, zapDomain: 'shardonnx', zapEnforceDomain: true, ...mechanism };
  }

  /** The caller of this name has come in: whoever shows the name again repeats what it has overheard. */
  passed(name: string): void {
    this.#names.add(name);
    for (const oldest of this.#names) {
      if (this.#names.size <= REMEMBERED) break;
      this.#names.delete(oldest);
    }
  }

  close(): void {
    this.#socket.close();
  }

  async #answer(): Promise<void> {
    for await (const [version = '', request = '', , , , , ...shown] of this.#socket) {
      // This device has closed since it was asked.
      if (this.#socket.closed) return;
      const admitted = this.#admits(shown);
      if (!admitted) this.wire.dropped.add('a stranger tried to connect');
      const [status, text] = admitted ? ['200', 'OK'] : ['400', 'not expected'];
      await this.#socket.send([version, request, status, text, '', '']);
    }
  }

  /** @param shown a public key of 32 bytes; without keys a name and a password */
  #admits([first, password]: readonly Buffer[]): boolean {
    const { keys, manifest, joining } = this.wire;
    if (!first) return false;
    if (keys) return keys.belongs(first, callersOf(manifest));
    const name = String(first);
    if (this.#names.has(name)) return false;
    // While devices join, one of another build is let in and told so.
    return joining.open || String(password) === passOf(manifest.build, name);
  }
}
