/**
 * Devices over TCP. ZeroMQ moves the bytes in threads of its own, so transfers go on while onnxruntime holds the event loop.
 * Of two devices the later in the build's list listens; both directions use that one connection.
 */
import { ShardonnxError } from './error.ts';
import { encodeFrame } from './frame.ts';
import { Joining } from './handshake.ts';
import type { Keys } from './keys.ts';
import { nap } from './nap.ts';
import type { Transport, TransportFactory, TransportListener, TransportSetup } from './transport.ts';
import { callersOf, listenersOf, peersOf } from './transport.ts';
import { Answerer } from './zeromq-answerer.ts';
import { Caller } from './zeromq-caller.ts';
import { isEndpoint, isLoopback, Wire } from './zeromq-wire.ts';

export interface ZeromqOptions {
  /** Where this device listens, if others call it: `tcp://0.0.0.0:7000`; port `*` is one that the system chooses. */
  readonly listen?: string | undefined;
  /** Where devices listen that this one calls, by name. Asked once this device itself listens. */
  readonly peers: (listening: string | null) => Promise<Readonly<Record<string, string>>>;
  /** Needed wherever others than this machine can reach an endpoint, unless `insecure`. */
  readonly keys?: Keys | undefined;
  readonly insecure?: boolean;
}

export const zeromqTransport =
  (options: ZeromqOptions): TransportFactory =>
  (setup) =>
    new ZeromqTransport(setup, options);

class ZeromqTransport implements Transport {
  readonly inProcess = false;
  readonly #callers = new Map<string, Caller>();
  readonly #joining: Joining;
  #answerer: Answerer | undefined;
  /** Something, since it was last let go. */
  #sent = false;
  #endpoints: Readonly<Record<string, string>>;

  constructor(
    private readonly setup: TransportSetup,
    private readonly options: ZeromqOptions,
  ) {
    const { manifest } = setup;
    this.#endpoints = { ...manifest.endpoints };
    this.#joining = new Joining(manifest.device, peersOf(manifest));
  }

  async open(listener: TransportListener): Promise<void> {
    const { manifest, timeouts } = this.setup;
    const wire = new Wire(this.setup, listener, this.#joining, this.options.keys);
    if (callersOf(manifest).length > 0) this.#answerer = await Answerer.listen(wire, this.#ownEndpoint());
    const given = await this.options.peers(this.#answerer?.endpoint ?? null);
    this.#endpoints = { ...this.#endpoints, ...given };
    for (const name of listenersOf(manifest)) {
      const endpoint = this.#endpoints[name];
      if (!endpoint) throw noEndpoint(manifest.device, name);
      this.#checkClosed(endpoint, `${manifest.device} would connect to ${name} at ${endpoint}`);
      this.#callers.set(name, new Caller(wire, name, endpoint));
    }
    await this.#joining.within(timeouts.connect, (peer) =>
      this.#callers.has(peer)
        ? `at ${this.#endpoints[peer]}${this.#callers.get(peer)?.trouble ?? ''}`
        : `to connect to ${this.#answerer?.endpoint}`,
    );
  }

  send(to: string, frame: Parameters<Transport['send']>[1]): void {
    const parts = encodeFrame(frame);
    this.#sent = true;
    const caller = this.#callers.get(to);
    if (caller) caller.send(parts);
    else this.#answerer?.send(to, parts);
  }

  letGo(): void {
    if (!this.#sent) return;
    this.#sent = false;
    for (const caller of this.#callers.values()) caller.flush();
    this.#answerer?.flush();
    if (!this.setup.spareCore) nap();
  }

  async close(): Promise<void> {
    this.#joining.cancel();
    this.#answerer?.close();
    for (const caller of this.#callers.values()) caller.close();
  }

  /** @throws keys-needed */
  #checkClosed(endpoint: string, what: string): void {
    const { keys, insecure } = this.options;
    if (keys || insecure || isLoopback(endpoint) || !isEndpoint(endpoint)) return;
    throw new ShardonnxError('keys-needed', `${what} without keys, open to whoever can reach it`, {
      hint: `${makeKeys(this.setup.manifest.devices)}; --insecure goes without, in a network you trust`,
    });
  }

  #ownEndpoint(): string {
    const { manifest } = this.setup;
    const endpoint = this.options.listen ?? this.#endpoints[manifest.device];
    if (endpoint) {
      this.#checkClosed(endpoint, `${manifest.device} would listen at ${endpoint}`);
      return endpoint;
    }
    const message = `${callersOf(manifest).join(', ')} will connect to ${manifest.device}, but where does it listen?`;
    throw new ShardonnxError('no-endpoint', message, { hint: 'give --listen tcp://0.0.0.0:7000' });
  }
}

const makeKeys = (devices: readonly string[]): string =>
  `"shardonnx keys ${devices.join(' ')} -o keys" makes them: give each device public.json and its own secret with --keys`;

function noEndpoint(device: string, peer: string): ShardonnxError {
  return new ShardonnxError('no-endpoint', `${device} connects to ${peer}, but where does that listen?`, {
    hint: `give --peer ${peer}=tcp://ADDRESS:PORT`,
  });
}
