/** Opens devices of a fixture in this process, over either transport. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import type { Dealer } from 'zeromq';
import type { OpenDevice } from '../../runtime/behaviour.ts';
import {
  decodeMessage,
  encodeFrame,
  type Frame,
  type HelloFrame,
  type Malformed,
  PROTOCOL,
} from '../../runtime/frame.ts';
import { passOf } from '../../runtime/handshake.ts';
import type { DeviceManifest } from '../../runtime/manifest.ts';
import { zeromq } from '../../runtime/modules.ts';
import { openDevice } from '../../runtime/open-device.ts';
import { readDeviceManifest } from '../../runtime/read-manifest.ts';
import type { Timeouts, TransportFactory } from '../../runtime/transport.ts';
import { zeromqTransport } from '../../runtime/zeromq-transport.ts';
import { ROUND_TRIP, writeBuild } from './fixture.ts';

/** For what must come to its deadline; all else gets more, for machines that are busy. */
export const SHORT: Timeouts = { connect: 1, inference: 1 };
const LONG: Timeouts = { connect: 20, inference: 20 };

export interface Opening {
  readonly build: string;
  readonly device: string;
  readonly transport: TransportFactory;
  readonly timeouts?: Timeouts;
  readonly failures?: unknown[];
  readonly inFlight?: number;
  readonly rejoin?: boolean;
}

export async function open({
  build,
  device,
  transport,
  timeouts,
  failures,
  inFlight,
  rejoin,
}: Opening): Promise<OpenDevice> {
  const directory = join(build, device);
  const { program } = await import(pathToFileURL(join(directory, 'program.js')).href);
  const running = await openDevice({
    directory,
    program,
    transport,
    timeouts: timeouts ?? LONG,
    threads: 1,
    onFailure: (_, error) => failures?.push(error),
    ...(inFlight !== undefined && { inFlight }),
    ...(rejoin !== undefined && { rejoin }),
  });
  opened.push(() => running.close());
  return running;
}

const opened: (() => unknown)[] = [];

/** Call it after each test: what a failed test left open would keep its process alive. */
export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((close) => close()));
}

/** Where devices listen, told to each other as soon as the system has chosen the ports. */
export class Ports {
  readonly #known = new Map<string, Promise<string>>();
  readonly #tell = new Map<string, (endpoint: string) => void>();

  /** @param calls the devices that `device` connects to */
  transport(device: string, calls: readonly string[]): TransportFactory {
    void this.of(device);
    return zeromqTransport({
      listen: 'tcp://127.0.0.1:*',
      peers: async (listening) => {
        this.#tell.get(device)?.(listening ?? '');
        return Object.fromEntries(await Promise.all(calls.map(async (name) => [name, await this.of(name)])));
      },
    });
  }

  /** For a device that is not opened. */
  set(device: string, endpoint: string): void {
    this.#known.set(device, Promise.resolve(endpoint));
  }

  of(device: string): Promise<string> {
    const known = this.#known.get(device) ?? new Promise<string>((resolve) => this.#tell.set(device, resolve));
    this.#known.set(device, known);
    return known;
  }
}

/** A bare socket that can say anything to a device. */
export class Stranger {
  readonly #socket: Dealer;
  readonly #heard: (Frame | Malformed)[] = [];

  /** @param build the digest of which it knows: of another one it is let in only while devices join */
  constructor(endpoint: string, build = 'none') {
    const { Dealer } = zeromq();
    const routingId = randomUUID();
    const shown = { routingId, plainUsername: routingId, plainPassword: passOf(build, routingId) };
    this.#socket = new Dealer({ linger: 0, receiveTimeout: 2000, ...shown });
    this.#socket.connect(endpoint);
    opened.push(() => this.close());
  }

  async say(frame: Frame): Promise<void> {
    await this.bytes(encodeFrame(frame));
  }

  async bytes(parts: Uint8Array[]): Promise<void> {
    await this.#socket.send(parts.map((part) => Buffer.from(part)));
  }

  async hears(): Promise<Frame | Malformed> {
    for (;;) {
      const first = this.#heard.shift();
      // A device that listens sends these to see who is still there.
      if (first && first.kind !== 'pong') return first;
      if (!first) this.#heard.push(...decodeMessage(await this.#socket.receive()));
    }
  }

  close(): void {
    this.#socket.close();
  }

  /** Takes part as `device` would, if it is let. */
  static async as(build: string, device: string, endpoint: string): Promise<Stranger> {
    const hello = await helloOf(build, device);
    const stranger = new Stranger(endpoint, hello.build);
    await stranger.say(hello);
    assert.is((await stranger.hears()).kind, 'hello');
    return stranger;
  }
}

export async function helloOf(build: string, device: string): Promise<HelloFrame> {
  const manifest: DeviceManifest = await readDeviceManifest(join(build, device));
  return { kind: 'hello', protocol: PROTOCOL, build: manifest.build, device, instance: randomUUID(), next: 0 };
}

/** The server of {@link ROUND_TRIP}, and a stranger that has shaken hands with it as the robot. */
export async function serverAndStranger(rejoin = true) {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const failures: unknown[] = [];
  const serving = open({ build, device: 'server', transport: ports.transport('server', []), failures, rejoin });
  const robot = await Stranger.as(build, 'robot', await ports.of('server'));
  return { robot, server: await serving, failures };
}

/** Both devices of {@link ROUND_TRIP} over TCP. */
export async function robotAndServer() {
  const build = await writeBuild(ROUND_TRIP);
  const ports = new Ports();
  const [robot, server] = await Promise.all([
    open({ build, device: 'robot', transport: ports.transport('robot', ['server']) }),
    open({ build, device: 'server', transport: ports.transport('server', []) }),
  ]);
  return { build, ports, robot, server };
}
