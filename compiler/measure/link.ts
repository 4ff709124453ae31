/** What a link between two devices carries, with the frames and sockets that bundles use: one end serves, the other measures. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dealer, Router } from 'zeromq';
import { decodeFrame, encodeFrame, type Frame, PROTOCOL } from '../../runtime/frame.ts';
import { nap } from '../../runtime/nap.ts';
import { dealer, router } from '../../runtime/zeromq-sockets.ts';
import { isEndpoint, type Parts } from '../../runtime/zeromq-wire.ts';
import { CompileError } from '../error.ts';
import { quantile } from './attribute.ts';
import { ONE_SESSION, touchOther } from './caches.ts';

export interface LinkRates {
  /** Seconds from sending 64 bytes until they are back, with caches as a session leaves them on both ends. */
  readonly roundTrip: number;
  /** Bytes per second, from here to there and back. */
  readonly to: number;
  readonly from: number;
  /** Bytes that pass at once where the link was at rest; 0 where its bandwidth alone explains how long messages take. */
  readonly burst: number;
}

/** Where both ends of the test speak of the same thing. */
const TEST = 'shardonnx link test';
/** Tensors on it come back. */
const ECHO = 0;
/** Tensors on it are counted. */
const COUNT = 1;

const TRIPS = 100;
const WARM_UP = 10;
const SMALL = 64;
const LARGE = 2 ** 20;
/** ms in which the other end is ready for the next trip. */
const REST = 5;
/** A burst takes long enough when it takes so many seconds, and is long enough with so many frames. */
const LONG = 0.25;
const MOST = 256;
/** Seconds of a burst in which no stall makes a difference. */
const VERY_LONG = 2;

/** Seconds that messages take at first by which a burst is found; the most; and how many of each size are sent. */
const [SHORT, LONGEST] = [0.0025, 0.08];
const MESSAGES = 40;
/** Of a message: less than this share of it is no burst, as much as the other may be one of a larger bucket. */
const [NOTHING, MUCH] = [0.1, 0.5];

const linkError = (message: string, endpoint: string, hint: string, cause?: unknown) =>
  new CompileError('link', message, { at: [endpoint], hint, cause });

const tensorFrame = (channel: number, bytes: number): Parts =>
  encodeFrame({
    kind: 'tensor',
    inference: 0,
    channel,
    tensor: { type: 'uint8', dims: [bytes], data: new Uint8Array(bytes) },
  });
const hello = (): Parts =>
  encodeFrame({ kind: 'hello', protocol: PROTOCOL, build: TEST, device: '', instance: '', next: 0 });

const options = (timeout: number, endpoint: string) => ({
  sendHighWaterMark: 0,
  receiveHighWaterMark: 0,
  linger: 1000,
  receiveTimeout: timeout * 1000,
  ipv6: endpoint.includes('['),
});

function checkEndpoint(endpoint: string): void {
  if (isEndpoint(endpoint)) return;
  throw linkError(
    'no address',
    endpoint,
    'write tcp://HOST:PORT, and on the end that serves perhaps tcp://0.0.0.0:PORT',
  );
}

/** EAGAIN is what ZeroMQ calls a wait that was too long. */
const isTimeout = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EAGAIN';

/**
 * Bytes per second: bursts grow until they take long. Of each size the middle one of three counts: one alone that a lost frame or
 * another program holds up would pass for a slow link.
 * @param burst seconds that so many frames of 1 MiB take
 */
export async function burstRate(burst: (count: number) => Promise<number>): Promise<number> {
  for (let count = 4; ; count *= 2) {
    const all = [await burst(count)];
    if (all[0]! < VERY_LONG) all.push(await burst(count), await burst(count));
    const seconds = quantile(all, 0.5);
    if (seconds >= LONG || count >= MOST) return (count * LARGE) / Math.max(seconds, 1e-9);
  }
}

/**
 * Bytes that pass at once: messages of growing size come sooner than the bandwidth says.
 * @param bandwidth bytes per second @param message seconds that so many bytes take, the latency left out
 */
export async function burstOf(bandwidth: number, message: (bytes: number) => Promise<number>): Promise<number> {
  for (let seconds = SHORT; ; seconds *= 2) {
    const bytes = Math.round(bandwidth * seconds);
    const taken: number[] = [];
    for (let i = 0; i < MESSAGES; i++) taken.push(await message(bytes));
    const share = 1 - quantile(taken, 0.5) / seconds;
    if (share < NOTHING) return 0;
    if (share < MUCH || 2 * seconds > LONGEST) return Math.round(Math.min(1, share) * bytes);
  }
}

/** Busy, as a device between two messages: a processor that slept begins slowly, which is nothing of the link's. */
function rest(seconds: number): void {
  for (const end = performance.now() + 1e3 * seconds; performance.now() < end; );
}

class LinkTest {
  private constructor(
    private readonly socket: Dealer,
    private readonly endpoint: string,
    private readonly timeout: number,
  ) {}

  static connect(endpoint: string, timeout: number): LinkTest {
    const socket = dealer(options(timeout, endpoint));
    socket.connect(endpoint);
    return new LinkTest(socket, endpoint, timeout);
  }

  private async receive(kind: Frame['kind']): Promise<void> {
    const parts = await this.socket.receive().catch((cause: unknown) => {
      if (!isTimeout(cause)) throw cause;
      const hint =
        'start the other end first: shardonnx profile --serve tcp://0.0.0.0:PORT; check address and firewall';
      throw linkError(`no answer within ${this.timeout} s`, this.endpoint, hint, cause);
    });
    const frame = decodeFrame(parts);
    if (frame.kind === kind && (frame.kind !== 'hello' || frame.build === TEST)) return;
    throw linkError(
      'what answers there is no link test',
      this.endpoint,
      'use the same version of shardonnx on both ends',
    );
  }

  async measure(): Promise<LinkRates> {
    await this.socket.send([...hello()]);
    await this.receive('hello');
    const trips: number[] = [];
    const small = tensorFrame(ECHO, SMALL);
    const forget = touchOther(ONE_SESSION);
    for (let i = 0; i < WARM_UP + TRIPS; i++) {
      forget();
      await sleep(REST);
      const begin = performance.now();
      await this.socket.send([...small]);
      await this.receive('tensor');
      if (i >= WARM_UP) trips.push((performance.now() - begin) / 1e3);
    }
    const roundTrip = quantile(trips, 0.5);
    const timed = (burst: (count: number) => Promise<void>) => async (count: number) => {
      const begin = performance.now();
      await burst(count);
      return (performance.now() - begin) / 1e3 - roundTrip;
    };
    const to = await burstRate(timed((count) => this.push(count)));
    return {
      roundTrip,
      to,
      from: await burstRate(timed((count) => this.pull(count))),
      burst: await burstOf(
        to,
        async (bytes) => (await this.trip(bytes, bytes / to)) - (await this.trip(0, bytes / to)),
      ),
    };
  }

  /** Seconds until a message of so many bytes is known to have come, after a rest of so many seconds. */
  private async trip(bytes: number, seconds: number): Promise<number> {
    const [message, echo] = [tensorFrame(COUNT, bytes), tensorFrame(ECHO, SMALL)];
    rest(2 * seconds);
    const begin = performance.now();
    await this.socket.send([...message]);
    await this.socket.send([...echo]);
    await this.receive('tensor');
    return (performance.now() - begin) / 1e3;
  }

  private async push(count: number): Promise<void> {
    const large = tensorFrame(COUNT, LARGE);
    for (let i = 0; i < count; i++) await this.socket.send([...large]);
    await this.socket.send([...tensorFrame(ECHO, SMALL)]);
    await this.receive('tensor');
  }

  private async pull(count: number): Promise<void> {
    await this.socket.send([...encodeFrame({ kind: 'start', inference: count })]);
    for (let i = 0; i < count; i++) await this.receive('tensor');
  }

  /** @param done whether the other end is to end too */
  async close(done: boolean): Promise<void> {
    if (done) await this.socket.send([...encodeFrame({ kind: 'bye' })]);
    else this.socket.linger = 0;
    this.socket.close();
  }
}

/** @param timeout seconds, for every wait. @throws link, dependency-missing */
export async function measureLink(endpoint: string, timeout: number): Promise<LinkRates> {
  checkEndpoint(endpoint);
  const test = LinkTest.connect(endpoint, timeout);
  let done = false;
  try {
    const rates = await test.measure();
    done = true;
    return rates;
  } finally {
    await test.close(done);
  }
}

async function answer(socket: Router, peer: Buffer, frame: Frame, forget: () => void): Promise<void> {
  const send = (parts: Parts) => socket.send([peer, ...parts]);
  if (frame.kind === 'hello') await send(hello());
  else if (frame.kind === 'tensor' && frame.channel === ECHO) {
    await send(encodeFrame(frame));
    // As a device before it computes: else the answer waits until this is done.
    nap();
    forget();
  } else if (frame.kind === 'start') {
    const large = tensorFrame(COUNT, LARGE);
    for (let i = 0; i < Math.min(frame.inference, MOST); i++) await send(large);
  }
}

/**
 * Serves one test. Resolves when the other end has finished.
 * @param timeout seconds without a word from the other end
 * @param listening told the endpoint, with the port that the system chose if it was to choose
 * @throws link, dependency-missing
 */
export async function serveLink(
  endpoint: string,
  timeout: number,
  listening: (endpoint: string) => void,
): Promise<void> {
  checkEndpoint(endpoint);
  const socket = router(options(timeout, endpoint));
  const forget = touchOther(ONE_SESSION);
  try {
    await socket.bind(endpoint).catch((cause: unknown) => {
      throw linkError(
        'cannot listen there',
        endpoint,
        'choose an address of this machine and a port that is free',
        cause,
      );
    });
    listening(socket.lastEndpoint ?? endpoint);
    for (;;) {
      const [peer, ...parts] = await socket.receive();
      const frame = decodeFrame(parts);
      if (frame.kind === 'bye') return;
      if (peer && frame.kind !== 'malformed') await answer(socket, peer, frame, forget);
    }
  } catch (cause) {
    if (!isTimeout(cause)) throw cause;
    throw linkError(
      `nobody for ${timeout} s`,
      endpoint,
      'start the other end: shardonnx profile --link tcp://HOST:PORT',
      cause,
    );
  } finally {
    socket.close();
  }
}
