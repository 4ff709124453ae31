/** What a bundle, the command line and other programs use of the runtime. */

export type { OpenDevice } from './behaviour.ts';
export { type Bundle, type BundleOptions, openBundle } from './bundle.ts';
export { beginOf, type ChromeEvent, type ChromeTrace, chromeTrace } from './chrome-trace.ts';
export { bytesPerElement, type DType, dtypes, isDType, type NumericArray, type NumericDType } from './dtype.ts';
export { ShardonnxError } from './error.ts';
export { checkInputs, describe, unknownInput } from './inputs.ts';
export { type MainOptions, main } from './main.ts';
export type { BundleManifest, ChannelSpec, DeviceManifest, SegmentSpec, TensorSpec } from './manifest.ts';
export { memoryTransport } from './memory-transport.ts';
export { onnxruntime } from './modules.ts';
export { decodeNpy, encodeNpy, readNpy, writeNpy } from './npy.ts';
export { type DeviceOptions, openDevice } from './open-device.ts';
export { writeOutputs } from './outputs.ts';
export type { DataOf, Device, NamedTensors, Program, Tensor } from './program.ts';
export { randomTensor } from './random.ts';
export { readBundleManifest, readDeviceManifest } from './read-manifest.ts';
export type { Result } from './results.ts';
export { type DeviceStats, quantile, type SegmentStats } from './stats.ts';
export { stream } from './stream.ts';
export type { Outcome } from './team.ts';
export type { DeviceTrace, TraceEvent } from './trace.ts';
export { DEFAULT_TIMEOUTS, type Timeouts, type TransportFactory } from './transport.ts';
export { verifyFiles } from './verify-files.ts';
export { type ZeromqOptions, zeromqTransport } from './zeromq-transport.ts';
