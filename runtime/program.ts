/** What a generated program sees of the runtime. Types only and self-contained: bundles carry this file as runtime.d.ts. */

/** The array that holds a tensor's elements. bool: 0 or 1; float16: raw bits. */
export interface DataOf {
  float32: Float32Array;
  uint8: Uint8Array;
  int8: Int8Array;
  uint16: Uint16Array;
  int16: Int16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  string: string[];
  bool: Uint8Array;
  float16: Uint16Array;
  float64: Float64Array;
  uint32: Uint32Array;
  uint64: BigUint64Array;
}

/** A tensor as onnxruntime-node takes and gives it: row-major, `data.length` is the product of `dims`. */
export interface Tensor<D extends keyof DataOf = keyof DataOf> {
  readonly type: D;
  readonly dims: readonly number[];
  readonly data: DataOf[D];
}

/** Tensors of these dtypes, in order. */
export type Tensors<D extends readonly (keyof DataOf)[]> = { [K in keyof D]: Tensor<D[K]> };
type AnyTensors = readonly (keyof DataOf)[];

/** One inference on one device. The dtypes a program states are checked against device.json. */
export interface Device {
  /** Executes segment `index`; tensors in the order of device.json. */
  segment<D extends AnyTensors>(index: number, inputs: readonly Tensor[]): Promise<Tensors<D>>;
  /** Hands a tensor to the transport and returns at once. */
  send(to: string, channel: number, tensor: Tensor): void;
  /** Resolves when the peer's tensor is here. @throws receive-timeout, peer-lost, peer-failed */
  receive<D extends keyof DataOf>(from: string, channel: number): Promise<Tensor<D>>;
}

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** A device's share of one inference: what it holds of the model's inputs in, what it holds of the outputs out, by name. */
export type Program<Inputs extends NamedTensors = NamedTensors, Outputs extends NamedTensors = NamedTensors> = (
  device: Device,
  inputs: Inputs,
) => Promise<Outputs>;
