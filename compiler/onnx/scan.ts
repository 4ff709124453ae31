/** Reads a model file without its weights: a skeleton in which big tensors point into the file. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { CompileError } from '../error.ts';
import { damagedModel, emptyModel, notAFile, notOnnx, truncatedModel } from './errors.ts';
import { field, varintField, wire } from './wire.ts';

/** Payloads up to this many bytes stay in the skeleton. */
export const smallBytes = 4096;

/** Keys of external_data by which the skeleton says where in the model file a tensor's bytes are. */
export const insideKeys = { offset: 'shardonnx.offset', length: 'shardonnx.length' } as const;

type Kind = 'model' | 'graph' | 'node' | 'attribute' | 'constant' | 'value' | 'tensor';
/** Fields that can hold big tensors, by message; functions (ModelProto 25) and other attributes are kept whole. */
const children: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph' },
  graph: { 1: 'node', 5: 'tensor' },
  node: { 5: 'attribute' },
  attribute: { 6: 'graph', 11: 'graph' },
  constant: { 5: 'value' },
  value: { 5: 'tensor' },
  tensor: {},
};
/** TensorProto fields that hold little-endian elements as they are in memory: raw_data, packed float_data and double_data. */
const dataFields: ReadonlySet<number> = new Set([9, 4, 10]);
const opTypeField = 4;
/** First bytes of ModelProto's fields: other files begin otherwise. */
const modelBegins: ReadonlySet<number> = new Set([
  0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca, 0xd2,
]);
/** More than this besides weights is no model, but a damaged length. */
const skeletonLimit = 2 ** 30;
const deepest = 100;

/** A file read through a window, so that skipping costs nothing. */
class Window {
  #begin = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #file: string;
  readonly #descriptor: number;
  readonly size: number;

  constructor(file: string, descriptor: number, size: number) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.size = size;
  }

  byte(at: number): number {
    if (at < this.#begin || at >= this.#begin + this.#bytes.length) {
      this.#bytes = this.copy(at, Math.min(this.size, at + 64 * 1024));
      this.#begin = at;
    }
    return this.#bytes[at - this.#begin]!;
  }

  copy(begin: number, end: number): Uint8Array {
    const from = begin - this.#begin;
    if (from >= 0 && end <= this.#begin + this.#bytes.length) return this.#bytes.slice(from, end - this.#begin);
    const bytes = new Uint8Array(end - begin);
    for (let done = 0; done < bytes.length; ) {
      const count = readSync(this.#descriptor, bytes, done, bytes.length - done, begin + done);
      if (count === 0) throw truncatedModel(this.#file, 'the model', end, begin + done);
      done += count;
    }
    return bytes;
  }
}

class Scanner {
  #kept = 0;
  readonly #file: string;
  readonly #window: Window;

  constructor(file: string, window: Window) {
    this.#file = file;
    this.#window = window;
  }

  scan(kind: Kind, begin: number, end: number, depth: number): Uint8Array {
    if (depth > deepest) throw damagedModel(this.#file, `graphs are nested deeper than ${deepest} messages`);
    const pieces: Uint8Array[] = [];
    for (const found of this.#fields(begin, end)) {
      const isBig = found.wire === wire.bytes && found.end - found.payload > smallBytes;
      const child = isBig ? children[kind][found.number] : undefined;
      if (child) {
        const exact = child === 'node' && this.#isConstant(found.payload, found.end) ? 'constant' : child;
        pieces.push(field(found.number, this.scan(exact, found.payload, found.end, depth + 1)));
      } else if (isBig && kind === 'tensor' && dataFields.has(found.number)) {
        pieces.push(...pointer(found.payload, found.end - found.payload));
      } else {
        pieces.push(this.#keep(found.start, found.end));
      }
    }
    return Buffer.concat(pieces);
  }

  #isConstant(begin: number, end: number): boolean {
    for (const found of this.#fields(begin, end)) {
      if (found.number === opTypeField && found.wire === wire.bytes && found.end - found.payload < 100) {
        return Buffer.from(this.#window.copy(found.payload, found.end)).toString() === 'Constant';
      }
    }
    return false;
  }

  #keep(begin: number, end: number): Uint8Array {
    this.#kept += end - begin;
    if (this.#kept > skeletonLimit) throw damagedModel(this.#file, 'over 1 GiB that is not weights');
    return this.#window.copy(begin, end);
  }

  *#fields(begin: number, end: number) {
    for (let at = begin; at < end; ) {
      const start = at;
      const tag = this.#varint(at, end);
      const number = Math.floor(tag.value / 8);
      const wireType = tag.value % 8;
      let payload = tag.end;
      let after: number;
      if (wireType === wire.varint) after = this.#varint(payload, end).end;
      else if (wireType === wire.fixed64) after = payload + 8;
      else if (wireType === wire.fixed32) after = payload + 4;
      else if (wireType === wire.bytes) {
        const length = this.#varint(payload, end);
        payload = length.end;
        after = payload + length.value;
      } else throw damagedModel(this.#file, `unknown wire type ${wireType} at byte ${start}`);
      if (number === 0) throw damagedModel(this.#file, `field number 0 at byte ${start}`);
      if (after > end) throw this.#tooLong(`field ${number} at byte ${start}`, after);
      yield { number, wire: wireType, start, payload, end: after };
      at = after;
    }
  }

  #varint(at: number, end: number): { value: number; end: number } {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      if (at + i >= end) throw this.#tooLong(`the number at byte ${at}`, at + i + 1);
      const byte = this.#window.byte(at + i);
      value += (byte & 127) * 2 ** (7 * i);
      if (byte < 128) return { value, end: at + i + 1 };
    }
    throw damagedModel(this.#file, `a number longer than 10 bytes at byte ${at}`);
  }

  #tooLong(what: string, needed: number): Error {
    return needed > this.#window.size
      ? truncatedModel(this.#file, what, needed, this.#window.size)
      : damagedModel(this.#file, `${what} is longer than what holds it`);
  }
}

/**
 * The model's ModelProto, its big tensors replaced by where they are (external_data with `insideKeys`).
 * Time and memory grow with the graph, not with the weights.
 * @throws model-not-a-file, model-empty, model-not-onnx, model-truncated, model-damaged
 */
export function scanModel(file: string): Uint8Array {
  const descriptor = open(file);
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) throw emptyModel(file);
    const window = new Window(file, descriptor, size);
    if (!modelBegins.has(window.byte(0))) throw notOnnx(file, looksLike(window.copy(0, Math.min(size, 16))));
    return new Scanner(file, window).scan('model', 0, size, 0);
  } finally {
    closeSync(descriptor);
  }
}

function open(file: string): number {
  try {
    const status = statSync(file);
    if (!status.isFile()) throw notAFile(file, status.isDirectory() ? 'this is a folder' : 'this is not a plain file');
    return openSync(file, 'r');
  } catch (error) {
    if (error instanceof CompileError || !(error instanceof Error)) throw error;
    const missing = 'code' in error && error.code === 'ENOENT';
    throw notAFile(file, missing ? 'there is no such file' : `the file cannot be read: ${error.message}`, error);
  }
}

/** First bytes of files that are given for models by mistake. */
function looksLike(head: Uint8Array): string | undefined {
  const text = Buffer.from(head).toString('latin1');
  const signs: readonly (readonly [RegExp, string])[] = [
    [/^.PNG|^\xff\xd8|^GIF8|^RIFF/, 'a picture'],
    [/^\s*[[{]/, 'JSON'],
    [/^PK/, 'a zip file, such as a PyTorch checkpoint'],
    [/^....TFL3/s, 'a TensorFlow Lite model'],
    [/^....ORTM/s, "a model in onnxruntime's own format (.ort)"],
    [/^.HDF/, 'HDF5, such as a Keras model'],
    [/^GGUF/, 'a GGUF model'],
    [/^version ht/, 'a Git LFS pointer; fetch the file itself with git lfs pull'],
    [/^\w+\s*[:{]|^</, 'text'],
  ];
  return signs.find(([sign]) => sign.test(text))?.[1];
}

/** What stands in a tensor for its bytes in the model file. */
function pointer(offset: number, length: number): Uint8Array[] {
  const entry = (key: string, value: number) => field(13, Buffer.concat([field(1, key), field(2, String(value))]));
  return [entry(insideKeys.offset, offset), entry(insideKeys.length, length), varintField(14, 1)];
}
