/** What both ends of a ZeroMQ connection share. */

import { randomUUID } from 'node:crypto';
import type { Dropped } from './dropped.ts';
import { bytesPerElement } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import { peerLost } from './failures.ts';
import {
  encodeFrame,
  type Frame,
  type HelloFrame,
  MAX_CONTROL_BYTES,
  type Malformed,
  PROTOCOL,
  type RejectFrame,
} from './frame.ts';
import { DUPLICATE, type Joining } from './handshake.ts';
import type { Keys } from './keys.ts';
import { LARGEST_PROBE } from './links.ts';
import type { DeviceManifest } from './manifest.ts';
import { elements } from './tensor.ts';
import type { TransportListener, TransportSetup } from './transport.ts';

/** Two message parts, as {@link encodeFrame} gives them. */
export type Parts = readonly [header: Buffer, payload: Buffer];

/** ms within which what was sent before closing is still delivered. */
export const LINGER = 1000;

/** ms between a broken connection and the verdict: what the peer said before is still in the socket. */
export const GRACE = 50;

/** What a device gives to all its connections, and what each of them does the same way. */
export class Wire {
  readonly manifest: DeviceManifest;
  /** ms without a sign of life after which a connection is given up. */
  readonly silence: number;
  readonly #instance = randomUUID();
  readonly dropped: Dropped;

  constructor(
    setup: TransportSetup,
    readonly listener: TransportListener,
    readonly joining: Joining,
    /** Without them connections are neither encrypted nor anybody's in particular. */
    readonly keys: Keys | undefined,
  ) {
    this.manifest = setup.manifest;
    this.dropped = setup.dropped;
    this.silence = (setup.timeouts.inference * 1000) / 2;
  }

  /**
   * Nothing limits what is queued to be sent, nor what was received and is not yet read: the number of inferences in flight does,
   * and strangers get nothing in (see Gate). A limit to what is unread would end the process: where a peer dies while ZeroMQ has
   * stopped to read from it, ZeroMQ's next heartbeat is a failed assertion (https://github.com/zeromq/libzmq/issues/4364).
   * sendTimeout 0: a send queues at once or fails.
   * Heartbeats notice a peer that holds its connection but does nothing; they queue behind a large frame on a slow link, so
   * they may not be much stricter than the wait for the frame itself.
   */
  socketOptions(endpoint: string) {
    const { silence } = this;
    return {
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      sendTimeout: 0,
      linger: 0,
      heartbeatTimeout: silence,
      heartbeatInterval: Math.max(50, Math.min(2000, silence / 4)),
      handshakeInterval: 5000,
      // Of a cut network the system would try again only after minutes.
      connectTimeout: 3000,
      maxMessageSize: largestMessage(this.manifest),
      ipv6: endpoint.includes('['),
    };
  }

  /** @param proof see {@link Wire.claim} */
  hello(proof?: string): Parts {
    const { build, device } = this.manifest;
    const { next } = this.listener;
    const hello = { kind: 'hello', protocol: PROTOCOL, build, device, instance: this.#instance, next } as const;
    return encodeFrame({ ...hello, ...(proof !== undefined && { proof }) });
  }

  /** What a caller proves to be its own: the name it says, on this one connection. */
  claim(device: string, routingId: string): string {
    return ['shardonnx hello', this.manifest.build, device, routingId].join('\n');
  }

  /** Hands on what a peer sent that has shaken hands, or that refuses to. @param answer sends to it */
  dispatch(peer: string, frame: Frame | Malformed, answer: (parts: Parts) => void): void {
    switch (frame.kind) {
      case 'tensor':
      case 'start':
      case 'done':
      case 'abort':
      case 'clock':
      case 'check':
      case 'ready':
      case 'probe':
      case 'rate':
        this.listener.frame(peer, frame);
        break;
      case 'bye':
        this.listener.bye(peer);
        break;
      case 'malformed':
        this.listener.malformed(peer, frame.reason, frame.inference);
        break;
      case 'reject':
        this.#rejected(peer, frame);
        break;
      case 'ping':
        answer(encodeFrame({ kind: 'pong' }));
        break;
      case 'hello':
      case 'pong':
        break;
      default:
        frame satisfies never;
    }
  }

  /** A peer has said what it is, and may take part. */
  joined(peer: string, { next }: HelloFrame): void {
    this.listener.joined(peer, next);
    this.joining.joined(peer);
  }

  /** The connection to a peer is gone. It may come back. */
  lost(peer: string): void {
    const why = 'it died, stopped answering, or the network broke';
    this.joining.left(peer);
    this.listener.lost(peer, peerLost(this.manifest.device, peer, why));
  }

  /** The peer will not work with this device, and says why. */
  #rejected(peer: string, { code, message }: RejectFrame): void {
    const error = new ShardonnxError(code, message, { at: [`device ${peer}, which refused`] });
    if (this.joining.open) this.joining.fail(error);
    else if (code === DUPLICATE) this.listener.refused(error);
    else this.listener.lost(peer, error);
  }
}

export const reject = ({ code, message }: ShardonnxError): Parts => encodeFrame({ kind: 'reject', code, message });

/** Checked here: ZeroMQ takes port 99999 for 34463. Port `*` is for listening only. */
export function isEndpoint(text: string): boolean {
  const port = /^tcp:\/\/[^/]+:(\d+|\*)$/.exec(text)?.[1];
  return port === '*' || (port !== undefined && Number(port) >= 1 && Number(port) <= 65535);
}

/** Whether only this machine can reach the endpoint. */
export const isLoopback = (endpoint: string): boolean =>
  /^tcp:\/\/(127(\.\d{1,3}){3}|localhost|\[::1\]):/.test(endpoint);

/** Bytes; whoever sends more is cut off, before any memory is taken for it. -1: no limit, a channel's size is known when it comes. */
function largestMessage({ channels }: DeviceManifest): number {
  let largest = Math.max(MAX_CONTROL_BYTES, LARGEST_PROBE);
  for (const { dtype, shape } of channels) {
    const sizes = shape.filter((size) => size !== null);
    if (dtype === 'string' || sizes.length < shape.length) return -1;
    largest = Math.max(largest, elements(sizes) * bytesPerElement(dtype));
  }
  return largest;
}
