/** What both ends of a ZeroMQ connection share. */
import { bytesPerElement } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import { peerLost } from './failures.ts';
import { encodeFrame, type Frame, type Malformed, PROTOCOL, type RejectFrame } from './frame.ts';
import type { Joining } from './handshake.ts';
import type { DeviceManifest } from './manifest.ts';
import { elements } from './tensor.ts';
import type { Counters, TransportListener, TransportSetup } from './transport.ts';

/** Two message parts, as {@link encodeFrame} gives them. */
export type Parts = readonly [header: Buffer, payload: Buffer];

/** ms within which what was sent before closing is still delivered. */
export const LINGER = 1000;

/** ms between a broken connection and the verdict: what the peer said before is still in the socket. */
export const GRACE = 50;

/** What a device gives to all its connections, and what each of them does the same way. */
export class Wire {
  readonly manifest: DeviceManifest;
  readonly counters: Counters;

  constructor(
    private readonly setup: TransportSetup,
    readonly listener: TransportListener,
    readonly joining: Joining,
  ) {
    this.manifest = setup.manifest;
    this.counters = setup.counters;
  }

  /**
   * No high-water mark: the number of inferences in flight bounds what is queued. sendTimeout 0: a send queues at once or fails.
   * Heartbeats notice a peer that holds its connection but does nothing; they queue behind a large frame on a slow link, so
   * they may not be much stricter than the wait for the frame itself.
   */
  socketOptions(endpoint: string) {
    const silence = (this.setup.timeouts.inference * 1000) / 2;
    return {
      sendHighWaterMark: 0,
      receiveHighWaterMark: 0,
      sendTimeout: 0,
      linger: 0,
      heartbeatTimeout: silence,
      heartbeatInterval: Math.max(50, Math.min(2000, silence / 4)),
      handshakeInterval: 5000,
      maxMessageSize: largestMessage(this.manifest),
      ipv6: endpoint.includes('['),
    };
  }

  hello(): Parts {
    const { build, device } = this.manifest;
    return encodeFrame({ kind: 'hello', protocol: PROTOCOL, build, device });
  }

  /** Hands on what a peer sent that has shaken hands, or that refuses to. */
  dispatch(peer: string, frame: Frame | Malformed): void {
    switch (frame.kind) {
      case 'tensor':
      case 'start':
      case 'done':
      case 'abort':
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
      case 'hello':
      case 'ping':
        break;
      default:
        frame satisfies never;
    }
  }

  /** The connection to a peer is gone for good. */
  lost(peer: string): void {
    const why = 'it died, stopped answering, or the network broke';
    this.listener.lost(peer, peerLost(this.manifest.device, peer, why));
  }

  /** The peer will not work with this device, and says why. */
  #rejected(peer: string, { code, message }: RejectFrame): void {
    const error = new ShardonnxError(code, message, { at: [`device ${peer}, which refused`] });
    if (this.joining.open) this.joining.fail(error);
    else this.listener.lost(peer, error);
  }
}

export const reject = ({ code, message }: ShardonnxError): Parts => encodeFrame({ kind: 'reject', code, message });

/** Checked here: ZeroMQ takes port 99999 for 34463. Port `*` is for listening only. */
export function isEndpoint(text: string): boolean {
  const port = /^tcp:\/\/[^/]+:(\d+|\*)$/.exec(text)?.[1];
  return port === '*' || (port !== undefined && Number(port) >= 1 && Number(port) <= 65535);
}

/** Bytes; a peer that sends more is cut off. -1 (no limit) where a channel's size is only known when it comes. */
function largestMessage({ channels }: DeviceManifest): number {
  let largest = 1 << 20;
  for (const { dtype, shape } of channels) {
    const sizes = shape.filter((size) => size !== null);
    if (dtype === 'string' || sizes.length < shape.length) return -1;
    largest = Math.max(largest, elements(sizes) * bytesPerElement(dtype));
  }
  return largest;
}
