/** onnx-proto's objects → our types. */
import { type DType, dtypeOfOnnxNumber } from '../../runtime/dtype.ts';
import type { Attribute, Attributes, Shape } from '../ir/program.ts';
import { type AttributeProto, type NodeProto, onnx, type TensorProto, type TypeProto, toNumber } from './proto.ts';

const { AttributeType } = onnx.AttributeProto;

/** undefined: bytes that are not UTF-8 (they stay bytes). */
function text(bytes: Uint8Array): string | undefined {
  const string = Buffer.from(bytes).toString();
  return Buffer.from(string).equals(bytes) ? string : undefined;
}

function simpleAttribute(proto: AttributeProto): Attribute | undefined {
  switch (proto.type) {
    case AttributeType.INT:
      return { kind: 'int', value: toNumber(proto.i) };
    case AttributeType.FLOAT:
      return { kind: 'float', value: proto.f };
    case AttributeType.INTS:
      return { kind: 'ints', value: proto.ints.map(toNumber) };
    case AttributeType.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case AttributeType.STRING: {
      const value = text(proto.s);
      return value === undefined ? undefined : { kind: 'string', value };
    }
    case AttributeType.STRINGS: {
      const value = proto.strings.map(text);
      return value.every((string) => string !== undefined) ? { kind: 'strings', value } : undefined;
    }
    default:
      return undefined;
  }
}

export const attributeOf = (proto: AttributeProto): Attribute =>
  simpleAttribute(proto) ?? { kind: 'proto', bytes: onnx.AttributeProto.encode(proto).finish() };

export const attributesOf = (node: NodeProto): Attributes =>
  Object.fromEntries(node.attribute.map((proto) => [proto.name, attributeOf(proto)]));

/** The graphs an attribute holds, of whatever declared type. */
export const graphsOf = (node: NodeProto) =>
  node.attribute.flatMap((attribute) => [...(attribute.g ? [attribute.g] : []), ...attribute.graphs]);

/** null: not a tensor, or of a dtype JavaScript cannot hold. */
export const dtypeOfType = (type: TypeProto | null | undefined): DType | null =>
  dtypeOfOnnxNumber(type?.tensorType?.elemType ?? 0) ?? null;

/** A shape of unknown rank, and what is no tensor, is `[null]`: such values are only used whole. */
export function shapeOfType(type: TypeProto | null | undefined): Shape {
  const shape = type?.tensorType?.shape;
  if (!shape) return [null];
  return (shape.dim ?? []).map(({ dimValue }) =>
    dimValue === null || dimValue === undefined || toNumber(dimValue) < 0 ? null : toNumber(dimValue),
  );
}

/** Little-endian bytes of the elements a tensor holds itself; undefined for strings and dtypes with no field of their own. */
export function bytesOfTensor(tensor: TensorProto): Uint8Array | undefined {
  if (tensor.rawData.length > 0) return tensor.rawData;
  const array = elementsOf(tensor);
  return array && new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function elementsOf(tensor: TensorProto) {
  switch (dtypeOfOnnxNumber(tensor.dataType)) {
    case 'float32':
      return Float32Array.from(tensor.floatData);
    case 'float64':
      return Float64Array.from(tensor.doubleData);
    case 'int64':
      return BigInt64Array.from(tensor.int64Data, (value) => BigInt(value.toString()));
    case 'uint64':
      return BigUint64Array.from(tensor.uint64Data, (value) => BigInt(value.toString()));
    case 'uint32':
      return Uint32Array.from(tensor.uint64Data, toNumber);
    case 'int32':
      return Int32Array.from(tensor.int32Data);
    case 'int16':
      return Int16Array.from(tensor.int32Data);
    case 'uint16':
    case 'float16':
      return Uint16Array.from(tensor.int32Data);
    case 'int8':
      return Int8Array.from(tensor.int32Data);
    case 'uint8':
    case 'bool':
      return Uint8Array.from(tensor.int32Data);
    default:
      return undefined;
  }
}
