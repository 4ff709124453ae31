/** What both ends of a ZeroMQ connection share. */
import { bytesPerElement } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import { peerLost } from './failures.ts';
import { encodeFrame, type Frame, type Malformed, PROTOCOL } from './frame.ts';
import type { Joining } from './handshake.ts';
import type { DeviceManifest } from './manifest.ts';
import { elements } from './tensor.ts';
import type { TransportListener, TransportSetup } from './transport.ts';

export interface Wire extends TransportSetup {
  readonly listener: TransportListener;
  readonly joining: Joining;
}

/** Two message parts, as {@link encodeFrame} gives them. */
export type Parts = readonly [header: Buffer, payload: Buffer];

/** ms within which what was sent before closing is still delivered. */
export const LINGER = 1000;

/** ms between a broken connection and the verdict: what the peer said before is still in the socket. */
export const GRACE = 50;

/**
 * No high-water mark: the number of inferences in flight bounds what is queued. sendTimeout 0: a send queues at once or fails.
 * Heartbeats notice a peer that holds its connection but does nothing; they queue behind a large frame on a slow link, so
 * they may not be much stricter than the wait for the frame itself.
 */
export function socketOptions({ manifest, timeouts }: TransportSetup, endpoint: string) {
  const silence = (timeouts.inference * 1000) / 2;
  return {
    sendHighWaterMark: 0,
    receiveHighWaterMark: 0,
    sendTimeout: 0,
    linger: 0,
    heartbeatTimeout: silence,
    heartbeatInterval: Math.max(50, Math.min(2000, silence / 4)),
    handshakeInterval: 5000,
    maxMessageSize: largestMessage(manifest),
    ipv6: endpoint.includes('['),
  };
}

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

export const hello = ({ manifest: { build, device } }: Wire): Parts =>
  encodeFrame({ kind: 'hello', protocol: PROTOCOL, build, device });

export const reject = ({ code, message }: ShardonnxError): Parts => encodeFrame({ kind: 'reject', code, message });

/** Hands on what a peer sent that has shaken hands. */
export function dispatch(wire: Wire, peer: string, frame: Frame | Malformed): void {
  const { listener } = wire;
  switch (frame.kind) {
    case 'tensor':
    case 'start':
    case 'done':
    case 'abort':
      listener.frame(peer, frame);
      break;
    case 'bye':
      listener.bye(peer);
      break;
    case 'malformed':
      listener.malformed(peer, frame.reason, frame.inference);
      break;
    case 'reject':
      rejected(wire, peer, frame);
      break;
    case 'hello':
    case 'ping':
      break;
    default:
      frame satisfies never;
  }
}

/** The peer will not work with this device, and says why. */
export function rejected({ joining, listener }: Wire, peer: string, says: { code: string; message: string }): void {
  const error = new ShardonnxError(says.code, says.message, { at: [`device ${peer}, which refused`] });
  if (joining.open) joining.fail(error);
  else listener.lost(peer, error);
}

export const connectionBroke = ({ manifest }: Wire, peer: string): ShardonnxError =>
  peerLost(manifest.device, peer, 'it died, stopped answering, or the network broke');
