/** The listening end: one ROUTER socket for all devices that call this one. */
import type { Router } from 'zeromq';
import { ShardonnxError } from './error.ts';
import { decodeMessage, encodeFrame, type Frame, type HelloFrame, type Malformed } from './frame.ts';
import { duplicatePeer, notItsKey, refusal } from './handshake.ts';
import { Outbox } from './outbox.ts';
import { callersOf } from './transport.ts';
import { Gate } from './zeromq-gate.ts';
import { router } from './zeromq-sockets.ts';
import { GRACE, isEndpoint, LINGER, type Parts, reject, type Wire } from './zeromq-wire.ts';

interface Peer {
  readonly name: string;
  readonly routingId: Buffer;
  readonly outbox: Outbox;
  readonly instance: string;
  broken: boolean;
  /** One that says to be the same device, and waits until it is clear that this one is gone. */
  rival: Rival | null;
}

interface Rival {
  readonly routingId: Buffer;
  readonly hello: HelloFrame;
}

/**
 * ms between two looks at whether peers are still connected: sending to one that is not fails. ROUTER does not tell, and ZeroMQ's
 * monitor must not be asked: it also tells of every stranger, and once 2000 of its events are unread, ZeroMQ's I/O threads wait for
 * their reader. Whoever connected often enough would stop all transfers for as long as onnxruntime holds the event loop.
 */
const LOOK = 100;

export class Answerer {
  readonly #peers = new Map<string, Peer>();
  readonly #byRoutingId = new Map<string, Peer>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #looks = setInterval(() => this.#look(), LOOK);
  #closed = false;

  private constructor(
    private readonly wire: Wire,
    private readonly socket: Router,
    private readonly gate: Gate,
  ) {
    void this.#read();
  }

  /** @throws port-in-use, bad-endpoint */
  static async listen(wire: Wire, endpoint: string): Promise<Answerer> {
    if (!isEndpoint(endpoint)) throw cannotListen(wire.manifest.device, endpoint, undefined);
    const gate = await Gate.open(wire);
    const socket = router({ ...wire.socketOptions(endpoint), ...gate.options, mandatory: true });
    try {
      await socket.bind(endpoint);
    } catch (cause) {
      socket.close();
      gate.close();
      throw cannotListen(wire.manifest.device, endpoint, cause);
    }
    return new Answerer(wire, socket, gate);
  }

  /** With the port that the system chose, if it was to choose. */
  get endpoint(): string {
    return this.socket.lastEndpoint ?? '';
  }

  send(to: string, [header, payload]: Parts): void {
    this.#peers.get(to)?.outbox.add(header, payload);
  }

  /** What was sent is handed to ZeroMQ. */
  flush(): void {
    for (const { outbox } of this.#peers.values()) outbox.flush();
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    this.#closed = true;
    clearInterval(this.#looks);
    for (const timer of this.#timers) clearTimeout(timer);
    this.socket.linger = LINGER;
    this.socket.close();
    this.gate.close();
  }

  async #read(): Promise<void> {
    for await (const [routingId, ...parts] of this.socket) {
      if (!routingId) continue;
      for (const frame of decodeMessage(parts)) this.#take(routingId, frame);
    }
  }

  #take(routingId: Buffer, frame: Frame | Malformed): void {
    const peer = this.#byRoutingId.get(routingId.toString('latin1'));
    if (peer?.rival && frame.kind === 'pong') this.#keep(peer);
    if (frame.kind === 'hello') this.#greet(routingId, frame);
    else if (peer) this.wire.dispatch(peer.name, frame, (reply) => this.send(peer.name, reply));
    else this.wire.dropped.add('a stranger sent something');
  }

  #greet(routingId: Buffer, said: HelloFrame): void {
    const { manifest, dropped } = this.wire;
    if (!this.#isWhoItSays(routingId, said)) {
      const error = notItsKey(said.device);
      this.#send(routingId, reject(error));
      dropped.add(error.message);
      return;
    }
    const error = refusal(manifest, said, callersOf(manifest));
    if (error) {
      this.#refuse(routingId, error);
      return;
    }
    const known = this.#peers.get(said.device);
    if (!known || known.routingId.equals(routingId)) this.#welcome(routingId, said);
    else if (known.broken || known.instance === said.instance) {
      known.rival = null;
      this.#remove(known);
      this.#welcome(routingId, said);
    } else this.#challenge(known, { routingId, hello: said });
  }

  #welcome(routingId: Buffer, said: HelloFrame): void {
    const known = this.#peers.get(said.device);
    this.#send(routingId, this.wire.hello());
    if (known) return;
    const { device: name, instance } = said;
    const outbox = new Outbox((parts) => this.#send(routingId, parts, () => this.#broke(peer)));
    const peer: Peer = { name, routingId, outbox, instance, broken: false, rival: null };
    this.#peers.set(peer.name, peer);
    this.#byRoutingId.set(routingId.toString('latin1'), peer);
    this.gate.passed(routingId.toString());
    this.wire.joined(peer.name, said);
  }

  #refuse(routingId: Buffer, error: ShardonnxError): void {
    const { joining, dropped } = this.wire;
    this.#send(routingId, reject(error));
    // While devices join, a wrong one is a wrong deployment; later a stranger must not stop those at work.
    if (joining.open) joining.fail(error);
    else dropped.add(error.message);
  }

  /** Is it a device started twice, or started again after a break that is not noticed yet? The one that is there answers, or its connection ends. */
  #challenge(peer: Peer, rival: Rival): void {
    peer.rival = rival;
    this.send(peer.name, encodeFrame({ kind: 'ping' }));
    this.#after(2 * this.wire.silence, () => peer.rival === rival && this.#keep(peer));
  }

  /** The one that is there is alive. */
  #keep(peer: Peer): void {
    const { rival, name } = peer;
    peer.rival = null;
    if (rival) this.#refuse(rival.routingId, duplicatePeer(this.wire.manifest.device, name));
  }

  #remove(peer: Peer): void {
    if (this.#peers.get(peer.name) !== peer) return;
    this.#peers.delete(peer.name);
    this.#byRoutingId.delete(peer.routingId.toString('latin1'));
    this.wire.lost(peer.name);
    if (peer.rival) this.#welcome(peer.rival.routingId, peer.rival.hello);
  }

  #isWhoItSays(routingId: Buffer, { device, proof }: HelloFrame): boolean {
    const { keys } = this.wire;
    if (!keys) return true;
    return proof !== undefined && keys.proves(device, this.wire.claim(device, routingId.toString()), proof);
  }

  /** A frame that nobody answers. */
  #look(): void {
    for (const { name } of this.#peers.values()) this.send(name, encodeFrame({ kind: 'pong' }));
  }

  #broke(peer: Peer): void {
    if (peer.broken || this.#closed) return;
    peer.broken = true;
    this.#after(GRACE, () => this.#remove(peer));
  }

  #send(routingId: Buffer, parts: readonly Buffer[], unreachable: () => void = () => {}): void {
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
