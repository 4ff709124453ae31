/** Our types → onnx-proto's objects. */
import { util } from 'protobufjs';
import { type DType, onnxNumber } from '../../runtime/dtype.ts';
import type { Attribute, Shape } from '../ir/program.ts';
import { createTensor, decodeValueInfo, onnx } from './proto.ts';

const { AttributeType } = onnx.AttributeProto;

/** A number as int64: what JavaScript rounded up to 2^63 or beyond is the nearest int64 again. */
const toInt64 = (value: number) => {
  if (value >= 2 ** 63) return new util.LongBits(0xffffffff, 0x7fffffff).toLong(false);
  return util.LongBits.fromNumber(Math.max(value, -(2 ** 63))).toLong(false);
};

export function encodeAttribute(name: string, attribute: Attribute) {
  switch (attribute.kind) {
    case 'int':
      return onnx.AttributeProto.create({ name, type: AttributeType.INT, i: toInt64(attribute.value) });
    case 'float':
      return onnx.AttributeProto.create({ name, type: AttributeType.FLOAT, f: attribute.value });
    case 'string':
      return onnx.AttributeProto.create({ name, type: AttributeType.STRING, s: Buffer.from(attribute.value) });
    case 'ints':
      return onnx.AttributeProto.create({ name, type: AttributeType.INTS, ints: attribute.value.map(toInt64) });
    case 'floats':
      return onnx.AttributeProto.create({ name, type: AttributeType.FLOATS, floats: [...attribute.value] });
    case 'strings':
      return onnx.AttributeProto.create({
        name,
        type: AttributeType.STRINGS,
        strings: attribute.value.map((string) => Buffer.from(string)),
      });
    case 'proto':
      return Object.assign(onnx.AttributeProto.decode(attribute.bytes), { name });
    default:
      return attribute satisfies never;
  }
}

/** A graph's input or output; `[null]` may have any rank. */
export function valueInfo(name: string, dtype: DType, shape: Shape) {
  const dim = shape.map((size) => (size === null ? {} : { dimValue: size }));
  const ranked = shape.length !== 1 || shape[0] !== null;
  const type = { tensorType: { elemType: onnxNumber(dtype), ...(ranked ? { shape: { dim } } : {}) } };
  return decodeValueInfo(onnx.ValueInfoProto.encode({ name, type }).finish());
}

/** A tensor that holds its bytes itself. */
export const tensorProto = (name: string, dtype: DType, shape: readonly number[], bytes: Uint8Array) =>
  createTensor({ name, dataType: onnxNumber(dtype), dims: [...shape], rawData: bytes });
