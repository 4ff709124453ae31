/** device.json (what a device's folder holds and what crosses its borders) and bundle.json. Written by codegen, read by the runtime. */
import type { DType } from './dtype.ts';

export interface TensorSpec {
  readonly name: string;
  readonly dtype: DType;
  /** null: any size. */
  readonly shape: readonly (number | null)[];
}

export interface ChannelSpec extends TensorSpec {
  readonly id: number;
  /** Device names. */
  readonly from: string;
  readonly to: string;
}

export interface SegmentSpec {
  /** Path inside the device's folder. */
  readonly file: string;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** One of several ways in which a build's devices compute the model. */
export interface PlanSpec {
  /** For people. */
  readonly name: string;
  /** Those that take part. */
  readonly devices: readonly string[];
  /** Bytes per second of links, from and to, between which it is the best one; null: only where no other can be used. */
  readonly bandwidth: readonly [number, number] | null;
  /** Predicted, of an inference at such bandwidths; 0: nothing is. */
  readonly seconds: number;
}

export interface DeviceManifest {
  readonly format: 1;
  /** sha256 that all devices of one build share; the handshake compares it. */
  readonly build: string;
  readonly device: string;
  /** All devices of the build, this one included. Of two, the later one listens and the earlier one connects. */
  readonly devices: readonly string[];
  /** The model's inputs if this device holds them, else empty; the same for the outputs. */
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Which devices hold the model's inputs and want its outputs. */
  readonly inputDevice: string;
  readonly outputDevice: string;
  /** The first is the one to begin with. Channels and segments are those of all plans; a device has one program each. */
  readonly plans?: readonly PlanSpec[];
  /** Those that this device sends or receives on. */
  readonly channels: readonly ChannelSpec[];
  readonly segments: readonly SegmentSpec[];
  /** sha256 of every other file in the device's folder, by path. */
  readonly files: Readonly<Record<string, string>>;
  /** onnxruntime's threads; null: onnxruntime's default. */
  readonly threads: number | null;
  /** onnxruntime's execution providers, the preferred one first; absent: onnxruntime's default. */
  readonly providers?: readonly string[];
  /** Where devices listen (`tcp://10.0.0.2:7000`) unless the command line says otherwise, by device. */
  readonly endpoints?: Readonly<Record<string, string>>;
}

/** bundle.json, beside the devices' folders. */
export interface BundleManifest {
  readonly format: 1;
  readonly build: string;
  /** The model's name, for people. */
  readonly model: string;
  /** The folders, in the order of {@link DeviceManifest.devices}. */
  readonly devices: readonly string[];
}
