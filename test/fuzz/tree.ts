/** An ONNX model as a tree of protobuf fields, which can be changed anywhere and written again. */
import { Writer } from 'protobufjs';
import { field, fieldsOf, wire } from '../../compiler/onnx/wire.ts';

/** Fields that are messages, by message; all others are leaves. */
const messages = {
  model: { 7: 'graph', 8: 'operatorSet' },
  graph: { 1: 'node', 5: 'tensor', 11: 'value', 12: 'value', 13: 'value' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
  tensor: { 13: 'entry' },
  value: { 2: 'type' },
  type: { 1: 'tensorType' },
  tensorType: { 2: 'shape' },
  shape: { 1: 'dimension' },
  dimension: {},
  operatorSet: {},
  entry: {},
} as const satisfies Readonly<Record<string, Readonly<Record<number, string>>>>;
export type Kind = keyof typeof messages;

/** Leaves that hold numbers one after the other: dims and integer data of tensors, ints of attributes. */
const lists: { readonly [K in Kind]?: readonly number[] } = { tensor: [1, 5, 7, 11], attribute: [8] };

export interface Message {
  readonly kind: Kind;
  readonly fields: TreeField[];
}
export interface TreeField {
  readonly number: number;
  readonly wire: number;
  content: Uint8Array | Message;
}
/** A field and where it is. */
export interface Site {
  readonly message: Message;
  readonly index: number;
  readonly field: TreeField;
}

export function parse(bytes: Uint8Array, kind: Kind = 'model'): Message {
  const children: Readonly<Record<number, Kind>> = messages[kind];
  const fields = [...fieldsOf(bytes)].map(({ number, wire: type, payload }): TreeField => {
    const child = type === wire.bytes ? children[number] : undefined;
    return { number, wire: type, content: child ? parse(payload, child) : payload };
  });
  return { kind, fields };
}

export const encode = ({ fields }: Message): Uint8Array =>
  Buffer.concat(
    fields.map(({ number, wire: type, content }) => {
      if (!(content instanceof Uint8Array)) return field(number, encode(content));
      if (type === wire.bytes) return field(number, content);
      return Buffer.concat([
        Writer.create()
          .uint32((number << 3) | type)
          .finish(),
        content,
      ]);
    }),
  );

/** Every field at every depth. */
export const sitesOf = (message: Message): Site[] =>
  message.fields.flatMap((one, index): Site[] => [
    { message, index, field: one },
    ...(one.content instanceof Uint8Array ? [] : sitesOf(one.content)),
  ]);

export const isList = ({ message, field: { number, wire: type } }: Site): boolean =>
  type === wire.bytes && (lists[message.kind]?.includes(number) ?? false);

/** Numbers of a list, or the one number of a varint. */
export function numbersOf(bytes: Uint8Array): bigint[] {
  const numbers: bigint[] = [];
  for (let at = 0; at < bytes.length; at++) {
    let value = 0n;
    let shift = 0n;
    for (; at < bytes.length; at++, shift += 7n) {
      value |= BigInt(bytes[at]! & 127) << shift;
      if (bytes[at]! < 128) break;
    }
    numbers.push(BigInt.asIntN(64, value));
  }
  return numbers;
}

export function encodeNumbers(numbers: readonly bigint[]): Uint8Array {
  const bytes: number[] = [];
  for (const number of numbers) {
    let rest = BigInt.asUintN(64, number);
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
  }
  return Uint8Array.from(bytes);
}
