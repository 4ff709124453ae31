/** The ONNX schema. onnx-proto is CommonJS whose named exports Node cannot see, so its default import is taken apart here. */
import onnxProto, { type onnx as schema } from 'onnx-proto';

export const { onnx } = onnxProto;

/** A 64-bit integer as protobufjs gives it. */
export type Integer = number | { toNumber(): number; toString(): string };

/** Precise up to 2^53; absent counts as 0. */
export const toNumber = (value: Integer | null | undefined): number =>
  typeof value === 'number' ? value : (value?.toNumber() ?? 0);

type IsAny<T> = 0 extends 1 & T ? true : false;
type Plain = string | number | boolean | Uint8Array;
type Element<E> = IsAny<E> extends true ? Integer : E extends Plain ? E : Decoded<E>;
type Content<F> =
  IsAny<F> extends true ? Integer : F extends (infer E)[] ? Element<E>[] : F extends Plain ? F : Decoded<F> | null;
/** What decoders return: every field is there, a message that is not set is null. onnx-proto's own types leave that out. */
export type Decoded<T> = { [K in keyof T]-?: Content<NonNullable<T[K]>> };

export type AttributeProto = Decoded<schema.IAttributeProto>;
export type GraphProto = Decoded<schema.IGraphProto>;
export type ModelProto = Decoded<schema.IModelProto>;
export type NodeProto = Decoded<schema.INodeProto>;
export type SparseTensorProto = Decoded<schema.ISparseTensorProto>;
export type TensorProto = Decoded<schema.ITensorProto>;
export type TypeProto = Decoded<schema.ITypeProto>;
export type ValueInfoProto = Decoded<schema.IValueInfoProto>;
export type OperatorSetIdProto = Decoded<schema.IOperatorSetIdProto>;

/** Decoders and constructors whose types tell what they return. What is put into `create` must be created as well. */
const message = <T, P>(type: { decode(bytes: Uint8Array): unknown; create(properties?: P): unknown }) => ({
  decode: (bytes: Uint8Array): T => type.decode(bytes) as T,
  create: (properties: P): T => type.create(properties) as T,
});
export const { decode: decodeModel } = message<ModelProto, schema.IModelProto>(onnx.ModelProto);
export const { decode: decodeNode, create: createNode } = message<NodeProto, schema.INodeProto>(onnx.NodeProto);
export const { decode: decodeTensor, create: createTensor } = message<TensorProto, schema.ITensorProto>(
  onnx.TensorProto,
);
export const { decode: decodeSparseTensor } = message<SparseTensorProto, schema.ISparseTensorProto>(
  onnx.SparseTensorProto,
);
export const { decode: decodeValueInfo } = message<ValueInfoProto, schema.IValueInfoProto>(onnx.ValueInfoProto);
export const { decode: decodeOperatorSet } = message<OperatorSetIdProto, schema.IOperatorSetIdProto>(
  onnx.OperatorSetIdProto,
);
export const { create: createAttribute } = message<AttributeProto, schema.IAttributeProto>(onnx.AttributeProto);
