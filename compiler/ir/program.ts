/** What a program is: tensors, values (regions of tensors), operators, and the stages it passes through. */
import type { DType } from '../../runtime/dtype.ts';
import type { Region } from './region.ts';

/** Sizes of the dimensions; null where only the data decides (printed `?`). */
export type Shape = readonly (number | null)[];

/** Where a weight's bytes are. Nothing is read before codegen copies the slices a device needs. */
export type WeightSource =
  /** Little-endian, row-major bytes in a file (the model itself or its external data). */
  | { readonly kind: 'file'; readonly file: string; readonly offset: number; readonly length: number }
  /** A few KiB at most. */
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  /** Every element is the same; `bytes` holds one element. */
  | { readonly kind: 'fill'; readonly bytes: Uint8Array }
  /** Strings have no fixed size. */
  | { readonly kind: 'strings'; readonly values: readonly string[] };

interface TensorBase {
  readonly name: string;
  /** null: not a tensor (a sequence, a map, an optional) or a dtype JavaScript cannot hold; never leaves its device. */
  readonly dtype: DType | null;
  readonly shape: Shape;
  /** The tensor of the same shape whose elements it holds in fewer bits, on their way to another device. */
  readonly encodes?: string;
}
export type Tensor =
  | (TensorBase & { readonly role: 'input' | 'output' | 'inner' })
  | (TensorBase & {
      readonly role: 'weight';
      readonly dtype: DType;
      readonly shape: readonly number[];
      readonly source: WeightSource;
    });

export type Combine = 'sum' | 'max' | 'min' | 'prod';

/** One addend of a value that several operators compute together, cut along a reduce letter. */
export interface Partial {
  readonly combine: Combine;
  /** 0-based, of `count`. */
  readonly index: number;
  readonly count: number;
}

/** A region of a tensor, possibly a partial. A tensor whose shape is not known is only used whole: its region is null. */
export interface Value {
  readonly kind: 'value';
  readonly tensor: string;
  readonly region: Region | null;
  readonly partial?: Partial;
}

/** A small constant written where it is used: the shape of a Reshape tile, the starts of a Slice tile. */
export interface Literal {
  readonly kind: 'literal';
  readonly dtype: 'int64' | 'int32' | 'float32' | 'uint8';
  /** `[]` for a scalar. */
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** ONNX attributes; `proto` is a serialized AttributeProto (graphs, tensors, types), passed through untouched. */
export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'proto'; readonly bytes: Uint8Array };
export type Attributes = Readonly<Record<string, Attribute>>;

interface OperatorBase {
  /** The model's node this operator comes from: its unique name. */
  readonly origin: string;
  /** null until the program is split. */
  readonly device: string | null;
}

/** One ONNX operator over whole tensors or tiles. null: an omitted optional input or output. */
export interface Compute extends OperatorBase {
  readonly kind: 'compute';
  readonly type: string;
  /** '' is ONNX's own domain. */
  readonly domain: string;
  readonly attributes: Attributes;
  readonly inputs: readonly (Value | Literal | null)[];
  readonly outputs: readonly (Value | null)[];
  /** Outer tensors that its subgraphs use by name; always whole. */
  readonly captures: readonly Value[];
  /** The operator yields more than the first output's region: what is kept, in the coordinates of what it yields. */
  readonly crop?: Region;
  /** The first output is multiplied by this (the mean of a part is weighed by the part's share). */
  readonly scale?: number;
}

/** One value out of several of the same tensor: slices joined, partials combined. */
export interface Assemble extends OperatorBase {
  readonly kind: 'assemble';
  readonly inputs: readonly Value[];
  readonly output: Value;
}

export interface Send extends OperatorBase {
  readonly kind: 'send';
  readonly channel: number;
  readonly to: string;
  readonly value: Value;
}

export interface Receive extends OperatorBase {
  readonly kind: 'receive';
  readonly channel: number;
  readonly from: string;
  readonly value: Value;
}

export type Operator = Compute | Assemble | Send | Receive;

/**
 * - imported: every region whole, no devices
 * - split: compute operators on devices; a value read need not exist as such yet
 * - assembled: every value read exists as such on some device, or an assemble operator on the reading device makes it
 * - linked: every value read exists as such on the reading device; send/receive pairs join the devices
 */
export type Stage = 'imported' | 'split' | 'assembled' | 'linked';
export const stages: readonly Stage[] = ['imported', 'split', 'assembled', 'linked'];

export interface Program<S extends Stage = Stage> {
  readonly stage: S;
  /** The model's file name or graph name, for messages. */
  readonly name: string;
  readonly irVersion: number;
  /** Domain to version. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Tensor names, in the model's order. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** In topological order. */
  readonly operators: readonly Operator[];
  /** Who holds the inputs and who wants the outputs; null until split. */
  readonly placement: { readonly inputs: string; readonly outputs: string } | null;
}

/** The values an operator reads; literals and omitted inputs left out. */
export function reads(operator: Operator): readonly Value[] {
  switch (operator.kind) {
    case 'compute':
      return [...operator.inputs.filter((input) => input?.kind === 'value'), ...operator.captures];
    case 'assemble':
      return operator.inputs;
    case 'send':
      return [operator.value];
    case 'receive':
      return [];
    default:
      return operator satisfies never;
  }
}

/** The values an operator makes. */
export function writes(operator: Operator): readonly Value[] {
  switch (operator.kind) {
    case 'compute':
      return operator.outputs.filter((output) => output !== null);
    case 'assemble':
      return [operator.output];
    case 'send':
      return [];
    case 'receive':
      return [operator.value];
    default:
      return operator satisfies never;
  }
}

/** Cheap, and the only operator that a device may compute again where it has it already: beside every reader. */
export const isDequantize = (operator: Operator): boolean =>
  operator.kind === 'compute' && operator.type === 'DequantizeLinear';

/**
 * What an operator is to the encoded form of a tensor: it makes it before a send, or the tensor of it after a receive, element
 * by element.
 */
export function conversionOf({ tensors }: Program, operator: Operator): 'encode' | 'decode' | undefined {
  if (operator.kind !== 'compute') return undefined;
  const [[input], [output]] = [operator.inputs, operator.outputs];
  if (input?.kind !== 'value' || !output) return undefined;
  if (tensors.get(output.tensor)?.encodes === input.tensor) return 'encode';
  return tensors.get(input.tensor)?.encodes === output.tensor ? 'decode' : undefined;
}

/** Whether an operator makes values anew beside every reader, instead of once: it is cheap, and what it reads has fewer bytes. */
export const isUnpacking = (program: Program, operator: Operator): boolean =>
  isDequantize(operator) || conversionOf(program, operator) === 'decode';

/** The tensor of this name. A program never names one it does not hold: that is a bug, not bad input. */
export function tensorOf(program: Program, name: string): Tensor {
  const tensor = program.tensors.get(name);
  if (!tensor) throw new Error(`no tensor ${name} in ${program.name}`);
  return tensor;
}

export const isKnown = (shape: Shape): shape is readonly number[] => shape.every((size) => size !== null);

/** The whole of a tensor. */
export const wholeValue = (tensor: Tensor): Value => ({
  kind: 'value',
  tensor: tensor.name,
  region: isKnown(tensor.shape) ? tensor.shape.map((size): [number, number] => [0, size]) : null,
});

const keys = new WeakMap<Value, string>();

/** Equal keys: the same part of the same tensor. Computed once a value. */
export function valueKey(value: Value): string {
  const known = keys.get(value);
  if (known !== undefined) return known;
  const { tensor, region, partial } = value;
  const spans = region ? region.map(([begin, end]) => `${begin}:${end}`).join(',') : '?';
  const addend = partial ? `${partial.combine}${partial.index}/${partial.count}` : '';
  const key = `${tensor}[${spans}]${addend}`;
  keys.set(value, key);
  return key;
}
