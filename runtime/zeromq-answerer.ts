/** The listening end: one ROUTER socket for all devices that call this one. */
import type { Router } from 'zeromq';
import { ShardonnxError } from './error.ts';
import { decodeFrame, encodeFrame, type HelloFrame } from './frame.ts';
import { duplicatePeer, notItsKey, refusal } from './handshake.ts';
import { zeromq } from './modules.ts';
import { callersOf } from './transport.ts';
import { Gate } from './zeromq-gate.ts';
import { GRACE, isEndpoint, LINGER, type Parts, reject, type Wire } from './zeromq-wire.ts';

interface Peer {
  readonly name: string;
  readonly routingId: Buffer;
  broken: boolean;
}

/** ms after some connection broke at which all peers are probed: ROUTER does not say whose it was. */
const PROBES = [0, 10, 50, 250];

export class Answerer {
  readonly #peers = new Map<string, Peer>();
  readonly #byRoutingId = new Map<string, Peer>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #closed = false;

  private constructor(
    private readonly wire: Wire,
    private readonly socket: Router,
    /** null where there are no keys. */
    private readonly gate: Gate | null,
  ) {
    void this.#watch();
    void this.#read();
  }

  /** @throws port-in-use, bad-endpoint */
  static async listen(wire: Wire, endpoint: string): Promise<Answerer> {
    if (!isEndpoint(endpoint)) throw cannotListen(wire.manifest.device, endpoint, undefined);
    const { Router } = zeromq();
    const { keys, manifest } = wire;
    const gate = keys ? await Gate.open((key) => keys.belongs(key, callersOf(manifest))) : null;
    const socket = new Router({
      ...wire.socketOptions(endpoint),
      ...(gate && { context: gate.context, zapDomain: 'shardonnx', zapEnforceDomain: true }),
      ...(keys && { curveServer: true, curveSecretKey: keys.own().curveSecretKey }),
      mandatory: true,
    });
    try {
      await socket.bind(endpoint);
    } catch (cause) {
      socket.close();
      gate?.close();
      throw cannotListen(manifest.device, endpoint, cause);
    }
    return new Answerer(wire, socket, gate);
  }

  /** With the port that the system chose, if it was to choose. */
  get endpoint(): string {
    return this.socket.lastEndpoint ?? '';
  }

  send(to: string, parts: Parts): void {
    const peer = this.#peers.get(to);
    if (peer) this.#send(peer.routingId, parts, () => this.#broke(peer));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.socket.linger = LINGER;
    this.socket.close();
    this.gate?.close();
  }

  async #read(): Promise<void> {
    for await (const [routingId, ...parts] of this.socket) {
      if (!routingId) continue;
      const peer = this.#byRoutingId.get(routingId.toString('latin1'));
      const frame = decodeFrame(parts);
      if (frame.kind === 'hello') this.#greet(routingId, frame);
      else if (peer) this.wire.dispatch(peer.name, frame);
      else this.wire.dropped.add('a stranger sent something');
    }
  }

  #greet(routingId: Buffer, said: HelloFrame): void {
    const { manifest, joining, dropped } = this.wire;
    if (!this.#isWhoItSays(routingId, said)) {
      const error = notItsKey(said.device);
      this.#send(routingId, reject(error));
      dropped.add(error.message);
      return;
    }
    const known = this.#peers.get(said.device);
    const error =
      refusal(manifest, said, callersOf(manifest)) ??
      (known && !known.routingId.equals(routingId) ? duplicatePeer(manifest.device, said.device) : null);
    if (error) {
      this.#send(routingId, reject(error));
      // While devices join, a wrong one is a wrong deployment; later a stranger must not stop those at work.
      if (joining.open) joining.fail(error);
      else dropped.add(error.message);
      return;
    }
    const peer = { name: said.device, routingId, broken: false };
    this.#peers.set(peer.name, peer);
    this.#byRoutingId.set(routingId.toString('latin1'), peer);
    this.#send(routingId, this.wire.hello());
    joining.joined(peer.name);
  }

  #isWhoItSays(routingId: Buffer, { device, proof }: HelloFrame): boolean {
    const { keys } = this.wire;
    if (!keys) return true;
    return proof !== undefined && keys.proves(device, this.wire.claim(device, routingId.toString()), proof);
  }

  async #watch(): Promise<void> {
    for await (const { type } of this.socket.events) {
      if (this.#closed) continue;
      if (type === 'disconnect') for (const delay of PROBES) this.#after(delay, () => this.#probe());
      if (type.startsWith('handshake:error')) this.wire.dropped.add('a stranger tried to connect');
    }
  }

  #probe(): void {
    for (const { name } of this.#peers.values()) this.send(name, encodeFrame({ kind: 'ping' }));
  }

  #broke(peer: Peer): void {
    if (peer.broken || this.#closed) return;
    peer.broken = true;
    const { joining } = this.wire;
    if (joining.open) {
      // It may come back while others are still missing.
      this.#peers.delete(peer.name);
      this.#byRoutingId.delete(peer.routingId.toString('latin1'));
      joining.left(peer.name);
      return;
    }
    this.#after(GRACE, () => this.wire.lost(peer.name));
  }

  #send(routingId: Buffer, parts: Parts, unreachable: () => void = () => {}): void {
    if (!this.#closed) this.socket.send([routingId, ...parts]).catch(unreachable);
  }

  #after(delay: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delay);
    this.#timers.add(timer);
  }
}

function cannotListen(device: string, endpoint: string, cause: unknown): ShardonnxError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (code === 'EADDRINUSE') {
    return new ShardonnxError('port-in-use', `${device} cannot listen at ${endpoint}: another process does`, {
      hint: 'stop it (perhaps an earlier run of this device), or give another port with --listen',
      cause,
    });
  }
  return new ShardonnxError('bad-endpoint', `${device} cannot listen at ${endpoint}${code ? ` (${code})` : ''}`, {
    hint: 'write it as tcp://ADDRESS:PORT with an address of this machine; tcp://0.0.0.0:PORT is all of them',
    cause,
  });
}
