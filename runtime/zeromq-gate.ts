/** Who may connect to a listening socket, asked by ZeroMQ before it takes a connection (ZAP, RFC 27). */
import type { Context, Reply } from 'zeromq';
import { zeromq } from './modules.ts';

export class Gate {
  /** For the sockets that this gate guards: a context has one gate. */
  readonly context: Context;
  readonly #socket: Reply;

  private constructor(private readonly admits: (key: Uint8Array) => boolean) {
    const { Context, Reply } = zeromq();
    this.context = new Context();
    this.#socket = new Reply({ context: this.context, linger: 0 });
  }

  /** @param admits asked with the caller's public key, 32 bytes */
  static async open(admits: (key: Uint8Array) => boolean): Promise<Gate> {
    const gate = new Gate(admits);
    await gate.#socket.bind('inproc://zeromq.zap.01');
    void gate.#answer();
    return gate;
  }

  close(): void {
    this.#socket.close();
  }

  async #answer(): Promise<void> {
    for await (const [version = '', request = '', , , , mechanism, key] of this.#socket) {
      const admitted = String(mechanism) === 'CURVE' && key !== undefined && this.admits(key);
      const [status, text] = admitted ? ['200', 'OK'] : ['400', 'key not listed'];
      await this.#socket.send([version, request, status, text, '', '']);
    }
  }
}
