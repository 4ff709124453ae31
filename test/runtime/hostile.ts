/** Strangers that want harm: what they do to a listening device, at full rate. */
import { generateKeyPairSync, type KeyObject, randomBytes, randomInt } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, PROTOCOL } from '../../runtime/frame.ts';
import { passOf } from '../../runtime/handshake.ts';
import { Keys, type PublicKey } from '../../runtime/keys.ts';
import { zeromq } from '../../runtime/modules.ts';

/** Keys of each device. */
export function keysOf(...devices: string[]): Record<string, Keys> {
  const pairs = devices.map((device): [string, KeyObject, PublicKey] => {
    const { privateKey } = generateKeyPairSync('x25519');
    const { x = '' } = privateKey.export({ format: 'jwk' });
    return [device, privateKey, { kty: 'OKP', crv: 'X25519', kid: device, x }];
  });
  const all = pairs.map(([, , key]) => key);
  return Object.fromEntries(pairs.map(([device, secret]) => [device, new Keys(device, secret, all)]));
}

const portOf = (endpoint: string): number => Number(endpoint.split(':').at(-1));

/** Passes a caller's bytes on to `endpoint`, and keeps the first MiB of them. */
export class Tap {
  readonly #kept: Buffer[] = [];
  readonly #sockets = new Set<Socket>();
  #bytes = 0;

  private constructor(
    private readonly server: Server,
    endpoint: string,
  ) {
    server.on('connection', (caller) => {
      const answerer = connect(portOf(endpoint), '127.0.0.1');
      caller.on('data', (bytes) => {
        if (this.#bytes < 1 << 20) this.#kept.push(bytes);
        this.#bytes += bytes.length;
      });
      for (const socket of [caller, answerer]) {
        // As ZeroMQ's own sockets: held back, small frames take 40 ms each.
        socket.setNoDelay();
        this.#sockets.add(socket);
        socket.on('error', () => {});
      }
      caller.pipe(answerer).pipe(caller);
    });
  }

  static async before(endpoint: string): Promise<Tap> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new Tap(server, endpoint);
  }

  get endpoint(): string {
    const address = this.server.address();
    return `tcp://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** What was said, from the first byte. */
  get recording(): Buffer {
    return Buffer.concat(this.#kept);
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** A connection that says something, and ends when it was said or the other end had enough. */
function say(endpoint: string, ...parts: Buffer[]): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(portOf(endpoint), '127.0.0.1', () => {
      for (const part of parts) socket.write(part);
      socket.end();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => resolve());
    socket.setTimeout(200, () => socket.destroy());
    socket.resume();
  });
}

/** ZMTP 3.1's greeting (RFC 37). */
function greeting(mechanism: 'NULL' | 'CURVE' | 'PLAIN'): Buffer {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  bytes.write(mechanism, 12, 'latin1');
  return bytes;
}

/** The head of a frame said to be of `size` bytes. @param flags 4: a command, 2: a long one */
function frameHead(flags: number, size: bigint): Buffer {
  const head = Buffer.alloc(9);
  head[0] = flags | 2;
  head.writeBigUInt64BE(size, 1);
  return head;
}

/** ms that ZeroMQ has for a handshake, and for what is said after it. */
const ATTEMPT = 5;

/** Speaks ZeroMQ, and says what devices say. @param shown options of the socket: keys, or a name and a password */
async function converse(endpoint: string, device: string, shown: object, seconds: number): Promise<void> {
  const { Dealer } = zeromq();
  const data = new Float32Array(4);
  const tensor = { type: 'float32' as const, dims: [1, 4], data };
  const frames = [
    encodeFrame({ kind: 'hello', protocol: PROTOCOL, build: 'stolen', device, instance: '', next: 0 }),
    encodeFrame({ kind: 'start', inference: 0 }),
    encodeFrame({ kind: 'tensor', inference: randomInt(1000), channel: 0, tensor }),
    [Buffer.from('SX'), randomBytes(randomInt(1000))],
    [randomBytes(16), randomBytes(16), randomBytes(16)],
  ];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    // Once refused, ZeroMQ does not try again.
    const socket = new Dealer({ linger: 0, sendHighWaterMark: 0, sendTimeout: 0, ...shown });
    socket.connect(endpoint);
    for (let i = 0; i < 50; i++) socket.send(frames[i % frames.length]!).catch(() => {});
    await sleep(ATTEMPT);
    socket.close();
  }
}

export interface Attack {
  /** Where a device listens. */
  readonly endpoint: string;
  /** What was once said to it by a device that may. */
  readonly recording: Buffer;
  /** A name that it knows. */
  readonly device: string;
  /** Its public key, which is no secret, in Z85; undefined: it has none. */
  readonly key: string | undefined;
  readonly seconds: number;
}

/** Everything at once. @returns connections made, without those that ZeroMQ's reconnecting makes */
export async function attack({ endpoint, recording, device, key, seconds }: Attack): Promise<number> {
  const own = zeromq().curveKeyPair();
  const wrong = zeromq().curveKeyPair().publicKey;
  const curve = { curvePublicKey: own.publicKey, curveSecretKey: own.secretKey };
  const shown = [
    {},
    { ...curve, curveServerKey: wrong },
    { ...curve, curveServerKey: key ?? wrong },
    { plainUsername: device, plainPassword: passOf('stolen', device) },
  ];
  const kinds: (() => Buffer[])[] = [
    () => [recording],
    () => [recording.subarray(0, randomInt(recording.length))],
    () => [randomBytes(1 << 16)],
    () => [greeting('CURVE'), frameHead(4, 1n << 40n), randomBytes(1 << 16)],
    () => [greeting('NULL'), frameHead(4, 1n << 40n), randomBytes(1 << 16)],
    () => [greeting('CURVE'), frameHead(4, 200n), Buffer.from('\x05HELLO'), randomBytes(194)],
    () => [greeting('PLAIN'), frameHead(4, 200n), Buffer.from('\x05HELLO'), randomBytes(194)],
    () => [greeting('NULL'), randomBytes(1 << 16)],
  ];
  const end = performance.now() + seconds * 1000;
  let connections = 0;
  const raw = kinds.map(async (kind) => {
    while (performance.now() < end) {
      await say(endpoint, ...kind());
      connections++;
    }
  });
  await Promise.all([...raw, ...shown.map((one) => converse(endpoint, device, one, seconds)), sleep(seconds * 1000)]);
  return connections;
}
