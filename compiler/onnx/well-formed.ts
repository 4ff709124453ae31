/** Is a message what the ONNX schema says? Decoders disagree about messages that are not, and some read past their ends. */
import { fieldsOf, wire } from './wire.ts';

/** What a field may hold; a name: a message of that kind. Lists of numbers come packed (bytes) or one by one. */
type Content = keyof typeof plain | MessageKind;
export type MessageKind = keyof typeof schema;

/** The wire types a field may have. */
const plain = {
  varint: [wire.varint],
  varints: [wire.varint, wire.bytes],
  fixed32: [wire.fixed32],
  fixed32s: [wire.fixed32, wire.bytes],
  fixed64s: [wire.fixed64, wire.bytes],
  bytes: [wire.bytes],
} as const satisfies Readonly<Record<string, readonly number[]>>;

/** onnx.proto, by field number. Fields that are not listed may hold anything. */
const schema = {
  node: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'attribute', 6: 'bytes', 7: 'bytes', 8: 'bytes' },
  attribute: {
    1: 'bytes',
    2: 'fixed32',
    3: 'varint',
    4: 'bytes',
    5: 'tensor',
    6: 'graph',
    7: 'fixed32s',
    8: 'varints',
    9: 'bytes',
    10: 'tensor',
    11: 'graph',
    13: 'bytes',
    14: 'type',
    15: 'type',
    20: 'varint',
    21: 'bytes',
    22: 'sparse',
    23: 'sparse',
  },
  graph: {
    1: 'node',
    2: 'bytes',
    5: 'tensor',
    10: 'bytes',
    11: 'valueInfo',
    12: 'valueInfo',
    13: 'valueInfo',
    14: 'annotation',
    15: 'sparse',
  },
  tensor: {
    1: 'varints',
    2: 'varint',
    3: 'segment',
    4: 'fixed32s',
    5: 'varints',
    6: 'bytes',
    7: 'varints',
    8: 'bytes',
    9: 'bytes',
    10: 'fixed64s',
    11: 'varints',
    12: 'bytes',
    13: 'entry',
    14: 'varint',
  },
  sparse: { 1: 'tensor', 2: 'tensor', 3: 'varints' },
  valueInfo: { 1: 'bytes', 2: 'type', 3: 'bytes' },
  type: { 1: 'tensorType', 4: 'sequence', 5: 'map', 6: 'bytes', 8: 'tensorType', 9: 'sequence' },
  tensorType: { 1: 'varint', 2: 'shape' },
  sequence: { 1: 'type' },
  map: { 1: 'varint', 2: 'type' },
  shape: { 1: 'dimension' },
  dimension: { 1: 'varint', 2: 'bytes', 3: 'bytes' },
  segment: { 1: 'varint', 2: 'varint' },
  entry: { 1: 'bytes', 2: 'bytes' },
  annotation: { 1: 'bytes', 2: 'entry' },
  operatorSet: { 1: 'bytes', 2: 'varint' },
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;

/** protobuf's own limit is 100. */
const deepest = 100;

/** @throws RangeError that names the message and field */
export function checkMessage(kind: MessageKind, message: Uint8Array, depth = 0): void {
  if (depth > deepest) throw new RangeError(`messages are nested deeper than ${deepest}`);
  const fields: Readonly<Record<number, Content>> = schema[kind];
  for (const found of fieldsOf(message)) {
    if (found.wire === 3 || found.wire === 4) throw new RangeError(`${kind} has a group`);
    const content = fields[found.number];
    if (content === undefined) continue;
    const wires: readonly number[] = isPlain(content) ? plain[content] : [wire.bytes];
    if (!wires.includes(found.wire)) {
      throw new RangeError(`field ${found.number} of ${kind} has wire type ${found.wire}`);
    }
    if (!isPlain(content)) checkMessage(content, found.payload, depth + 1);
    else if (found.wire === wire.bytes) checkPacked(kind, content, found.payload);
  }
}

const isPlain = (content: Content): content is keyof typeof plain => Object.hasOwn(plain, content);

function checkPacked(kind: string, content: Content, payload: Uint8Array): void {
  const size = content === 'fixed32s' ? 4 : content === 'fixed64s' ? 8 : 1;
  const cut = content === 'varints' ? (payload.at(-1) ?? 0) > 127 : payload.length % size !== 0;
  if (cut) throw new RangeError(`a list of numbers of ${kind} ends within a number`);
}
