/** Attributes and tensors: onnx-proto's objects to our types and back. */
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attribute } from '../../compiler/ir/program.ts';
import { attributeOf, bytesOfTensor, dtypeOfType, shapeOfType } from '../../compiler/onnx/decode.ts';
import { encodeAttribute, valueInfo } from '../../compiler/onnx/encode.ts';
import { createAttribute, createTensor, decodeNode, onnx } from '../../compiler/onnx/proto.ts';
import { checkMessage } from '../../compiler/onnx/well-formed.ts';
import { editFields, field, fieldsOf, varintField } from '../../compiler/onnx/wire.ts';
import { floatsOf, graphAttribute, node } from './make.ts';

/** Through bytes, as in a file. */
const there = (attribute: Attribute): Attribute => {
  const bytes = onnx.NodeProto.encode({ attribute: [encodeAttribute('a', attribute)] }).finish();
  checkMessage('node', bytes);
  return attributeOf(decodeNode(bytes).attribute[0]!);
};

const kind = <K extends string, T>(name: K, values: fc.Arbitrary<T>) => values.map((value) => ({ kind: name, value }));
const integer = fc.maxSafeInteger();
const float = fc.float({ noNaN: true });
test('attributes survive the way to bytes and back', () => {
  const attribute: fc.Arbitrary<Attribute> = fc.oneof(
    kind('int', integer),
    kind('float', float),
    kind('string', fc.string({ unit: 'grapheme' })),
    kind('ints', fc.array(integer)),
    kind('floats', fc.array(float)),
    kind('strings', fc.array(fc.string())),
  );
  fc.assert(fc.property(attribute, (given) => assert.equal(there(given), given)));
});

test('the greatest and the least int64 stay what they are, although no number holds them', () => {
  const encoded = (value: number) => String(encodeAttribute('a', { kind: 'ints', value: [value] }).ints[0]);
  assert.is(encoded(2 ** 63), '9223372036854775807');
  assert.is(encoded(1e30), '9223372036854775807');
  assert.is(encoded(-(2 ** 63)), '-9223372036854775808');
  assert.is(encoded(-1e30), '-9223372036854775808');
  assert.is(encoded(-1), '-1');
  const { value } = there({ kind: 'int', value: 2 ** 63 }) as Extract<Attribute, { kind: 'int' }>;
  assert.is(value, 2 ** 63);
});

test('graphs, and strings that are no text, stay bytes', () => {
  const graph = graphAttribute({ name: 'inner', node: [node('Relu', ['x'], ['y'])] });
  const again = there(graph);
  assert.is(again.kind, 'proto');
  assert.equal(there(again), again);
  const raw = createAttribute({ name: 'a', type: onnx.AttributeProto.AttributeType.STRING, s: Buffer.from([255, 0]) });
  const bytes = attributeOf(raw);
  assert.is(bytes.kind, 'proto');
  assert.equal([...encodeAttribute('a', bytes).s], [255, 0]);
});

test('a tensor gives its bytes from whatever field holds them', () => {
  const bytes = (tensor: Parameters<typeof createTensor>[0]) => bytesOfTensor(createTensor(tensor))!;
  assert.equal(floatsOf(bytes({ dataType: 1, floatData: [1, 2] })), [1, 2]);
  assert.equal(floatsOf(bytes({ dataType: 1, rawData: new Uint8Array(new Float32Array([3]).buffer) })), [3]);
  assert.equal([...bytes({ dataType: 2, int32Data: [255] })], [255]);
  assert.equal([...bytes({ dataType: 3, int32Data: [-1] })], [255]);
  assert.equal([...bytes({ dataType: 5, int32Data: [-2] })], [254, 255]);
  assert.equal([...bytes({ dataType: 6, int32Data: [1] })], [1, 0, 0, 0]);
  assert.equal([...bytes({ dataType: 7, int64Data: [-1] })], Array(8).fill(255));
  assert.equal([...bytes({ dataType: 9, int32Data: [1, 0] })], [1, 0]);
  assert.equal([...bytes({ dataType: 10, int32Data: [0x3c00] })], [0, 0x3c]);
  assert.equal([...bytes({ dataType: 11, doubleData: [1] })], [0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
  assert.equal([...bytes({ dataType: 12, uint64Data: [2 ** 32 - 1] })], [255, 255, 255, 255]);
  assert.equal([...bytes({ dataType: 13, uint64Data: [1] })], [1, 0, 0, 0, 0, 0, 0, 0]);
});

test('types: sizes, unknown sizes, unknown rank, no tensor', () => {
  const { type } = valueInfo('x', 'int64', [2, null, 3]);
  assert.is(dtypeOfType(type), 'int64');
  assert.equal(shapeOfType(type), [2, null, 3]);
  assert.equal(shapeOfType(valueInfo('x', 'int64', []).type), []);
  assert.equal(shapeOfType(undefined), [null]);
  assert.is(dtypeOfType(undefined), null);
});

test('fields that no schema knows survive an edit', () => {
  const message = Buffer.concat([field(1, 'x'), field(99, 'future'), varintField(7, -1)]);
  assert.ok(Buffer.from(editFields(message, () => undefined)).equals(message));
  const edited = editFields(message, ({ number }) => (number === 1 ? field(1, 'yy') : undefined));
  assert.equal(
    [...fieldsOf(edited)].map(({ number, payload }) => [number, payload.length]),
    [
      [1, 2],
      [99, 6],
      [7, 10],
    ],
  );
});

test('messages that decoders would take differently are refused', () => {
  const wrong: readonly (readonly [Uint8Array, RegExp])[] = [
    [varintField(1, 3), /field 1 of node has wire type 0/],
    [field(5, field(6, field(1, varintField(3, 1)))), /field 3 of node has wire type 0/],
    [field(5, field(7, new Uint8Array(5))), /ends within a number/],
    [field(5, field(8, new Uint8Array([200]))), /ends within a number/],
    [field(5, new Uint8Array([10, 9, 65])), /index out of range/],
    [new Uint8Array([0x0b, 0x0c]), /group/],
  ];
  for (const [bytes, message] of wrong) assert.throws(() => checkMessage('node', bytes), message);
});

test.run();
