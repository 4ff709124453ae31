/** The protobuf wire format: a message's fields as slices, and messages put together from slices, unknown fields kept. */
import { Reader, Writer } from 'protobufjs';

/** Wire types: the low three bits of a tag. */
export const wire = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export interface Field {
  readonly number: number;
  readonly wire: number;
  /** What follows the tag; of a `bytes` field what follows its length. */
  readonly payload: Uint8Array;
  /** All of the field, tag included. */
  readonly whole: Uint8Array;
}

/** @throws Error if the message is damaged */
export function* fieldsOf(message: Uint8Array): Generator<Field> {
  const reader = Reader.create(message);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const tag = reader.uint32();
    let begin = reader.pos;
    if ((tag & 7) === wire.bytes) {
      const length = reader.uint32();
      begin = reader.pos;
      reader.skip(length);
    } else {
      reader.skipType(tag & 7);
    }
    yield {
      number: tag >>> 3,
      wire: tag & 7,
      payload: message.subarray(begin, reader.pos),
      whole: message.subarray(start, reader.pos),
    };
  }
}

/** What stands before a `bytes` field's payload. */
export const header = (number: number, length: number): Uint8Array => {
  const writer = Writer.create().uint32((number << 3) | wire.bytes);
  // Longer than 4 GiB only in files nobody can load; still no wrong length.
  return (length < 2 ** 32 ? writer.uint32(length) : writer.uint64(length)).finish();
};

/** A `bytes` field: a string, a message, packed numbers. */
export const field = (number: number, payload: Uint8Array | string): Uint8Array => {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  return Buffer.concat([header(number, bytes.length), bytes]);
};

export const varintField = (number: number, value: number): Uint8Array =>
  Writer.create()
    .uint32(number << 3)
    .int64(value)
    .finish();

/** A copy of `message` with each field for which `edit` has an answer replaced by it (empty: left out). */
export function editFields(message: Uint8Array, edit: (field: Field) => Uint8Array | undefined): Uint8Array {
  return Buffer.concat([...fieldsOf(message)].map((found) => edit(found) ?? found.whole));
}
