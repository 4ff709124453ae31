/** How devices reach each other: one interface, in memory or over ZeroMQ. */

import type { Dropped } from './dropped.ts';
import type { ShardonnxError } from './error.ts';
import type { AbortFrame, ClockFrame, Frame, TensorFrame } from './frame.ts';
import type { DeviceManifest } from './manifest.ts';

/** What a device gets from its peers once they have shaken hands. */
export type PeerFrame =
  | TensorFrame
  | AbortFrame
  | ClockFrame
  | Extract<Frame, { readonly kind: 'start' | 'done' | 'check' | 'ready' | 'probe' | 'rate' }>;

export interface TransportListener {
  /** The lowest inference of which this device knows nothing. */
  readonly next: number;
  /** The peer has shaken hands, perhaps again. @param next the lowest inference of which it knows nothing */
  joined(peer: string, next: number): void;
  frame(from: string, frame: PeerFrame): void;
  /** The peer stops in good order. */
  bye(peer: string): void;
  /** A peer that has shaken hands sent what is no frame. `inference` if it could be told. */
  malformed(from: string, reason: string, inference: number | null): void;
  /** The connection is gone, and all that was under way with it; the peer may join again. */
  lost(peer: string, error: ShardonnxError): void;
  /** The peers will never work with this device. */
  refused(error: ShardonnxError): void;
}

/** Counted where it happens, read by stats. Bytes are those of tensors, without headers and control frames. */
export interface Counters {
  bytesSent: number;
  bytesReceived: number;
  /** Connections and frames of strangers, broken frames, and those that came after their inference had ended. */
  framesDropped: number;
}

export interface Transport {
  /** Whether all devices share this process. */
  readonly inProcess: boolean;
  /**
   * Resolves when every peer has shaken hands.
   * @throws peer-missing, protocol-mismatch, build-mismatch, unknown-peer, duplicate-peer, port-in-use, bad-endpoint
   */
  open(listener: TransportListener): Promise<void>;
  /** Returns at once, whatever the peer does. */
  send(to: string, frame: PeerFrame | { readonly kind: 'bye' }): void;
  /** Before onnxruntime takes the cores: what was sent is on its way. */
  letGo(): void;
  /** Frames already sent are still delivered, as far as the peer takes them within a second. */
  close(): Promise<void>;
}

export interface TransportSetup {
  readonly manifest: DeviceManifest;
  readonly dropped: Dropped;
  readonly timeouts: Timeouts;
  /** Whether onnxruntime's threads leave a core to others. */
  readonly spareCore: boolean;
}

export type TransportFactory = (setup: TransportSetup) => Transport;

/** In seconds. */
export interface Timeouts {
  /** From opening until all peers have shaken hands. */
  readonly connect: number;
  /** Every single wait during an inference. */
  readonly inference: number;
}

export const DEFAULT_TIMEOUTS: Timeouts = { connect: 30, inference: 30 };

/** Devices that `manifest.device` talks to: those it shares a channel with, and the holder of the inputs with everyone. */
export function peersOf(manifest: DeviceManifest): string[] {
  const { device, devices, inputDevice, channels } = manifest;
  const near = new Set(channels.flatMap(({ from, to }) => [from, to]));
  return devices.filter(
    (other) => other !== device && (device === inputDevice || other === inputDevice || near.has(other)),
  );
}

/** Those of {@link peersOf} that connect to this device: of two, the later in the build's list listens. */
export const callersOf = (manifest: DeviceManifest): string[] =>
  peersOf(manifest).filter((peer) => manifest.devices.indexOf(peer) < manifest.devices.indexOf(manifest.device));

/** Those of {@link peersOf} that this device connects to. */
export const listenersOf = (manifest: DeviceManifest): string[] =>
  peersOf(manifest).filter((peer) => manifest.devices.indexOf(peer) > manifest.devices.indexOf(manifest.device));
