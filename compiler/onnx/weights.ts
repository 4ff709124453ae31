/** Weights by reference: where their bytes are, and reading any region of them without reading the rest. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { arrayOver, bytesPerElement } from '../../runtime/dtype.ts';
import type { Tensor } from '../ir/program.ts';
import { count, lengths, type Region } from '../ir/region.ts';
import { weightUnreadable } from './errors.ts';
import type { FileSpan } from './external.ts';
import { smallBytes } from './scan.ts';

export type Weight = Extract<Tensor, { role: 'weight' }>;

/** Chunks that `readRegion` yields are no longer. */
const chunkBytes = 1 << 20;
/** Reading this many bytes more is cheaper than another read. */
const gapBytes = 32 * 1024;
const longRunBytes = 64 * 1024;

export function weightBytes(weight: Weight): number {
  const shape: readonly number[] = weight.shape;
  return shape.reduce((product, size) => product * size, bytesPerElement(weight.dtype));
}

/** All of a span at once; for small ones. */
export function readSpan({ file, offset, length }: FileSpan): Uint8Array {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const got = readSync(descriptor, bytes, done, length - done, offset + done);
      if (got === 0) throw weightUnreadable(file, `ends at byte ${offset + done}, ${offset + length} needed`);
      done += got;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** The elements of a small numeric weight that is in memory. */
export function constantOf(tensor: Tensor): number[] | undefined {
  if (tensor.role !== 'weight' || tensor.dtype === 'string' || tensor.source.kind !== 'inline') return undefined;
  if (tensor.source.bytes.length > smallBytes) return undefined;
  const array = arrayOver(tensor.dtype, tensor.source.bytes);
  return Array.from(array, tensor.dtype === 'float16' ? (bits) => halfToNumber(Number(bits)) : Number);
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/**
 * The bytes of a region, little-endian, in row-major order, in chunks of at most 1 MiB, each whole elements. The chunks are
 * not reused, but a `fill` yields the same one again: do not write into them.
 * @throws weight-unreadable if the file is gone or has become shorter since the import
 */
export async function* readRegion(weight: Weight, region: Region): AsyncGenerator<Uint8Array> {
  const size = bytesPerElement(weight.dtype);
  const total = count(region) * size;
  if (total === 0) return;
  switch (weight.source.kind) {
    case 'strings':
      throw new Error(`weight ${weight.name} holds strings, which have no bytes`);
    case 'fill':
      yield* repeat(weight.source.bytes, total);
      return;
    case 'inline':
      yield* gather(new Memory(weight.source.bytes), runsOf(weight.shape, region, size), total);
      return;
    case 'file': {
      const handle = await openWeight(weight.source.file);
      try {
        yield* gather(new OnDisk(handle, weight.source), runsOf(weight.shape, region, size), total);
      } finally {
        await handle.close();
      }
      return;
    }
    default:
      weight.source satisfies never;
  }
}

/** The texts of a region, in row-major order. */
export function textsOf({ name, shape, source }: Weight, region: Region): string[] {
  if (source.kind !== 'strings') throw new Error(`weight ${name} holds no strings`);
  if (count(region) === 0) return [];
  const runs = runsOf(shape, region, 1);
  return [...runs.places].flatMap((place) => source.values.slice(place, place + runs.length));
}

function* repeat(element: Uint8Array, total: number): Generator<Uint8Array> {
  const chunk = Buffer.alloc(Math.min(total, chunkBytes), element);
  for (let done = 0; done < total; done += chunk.length) yield chunk.subarray(0, Math.min(chunk.length, total - done));
}

/** Contiguous bytes of the region: equally long, at increasing places. */
interface Runs {
  readonly length: number;
  readonly places: Iterable<number>;
}

function runsOf(shape: readonly number[], region: Region, size: number): Runs {
  const extents = lengths(region);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, n) => product * n, size));
  // Dimensions after `inner` are whole: a run spans them and the region's extent along `inner`.
  let inner = shape.length - 1;
  while (inner > 0 && extents[inner] === shape[inner]) inner--;
  const start = region.reduce((sum, [begin], axis) => sum + begin * strides[axis]!, 0);
  function* places(): Generator<number> {
    const outer = extents.slice(0, Math.max(inner, 0));
    const index = outer.map(() => 0);
    let place = start;
    for (;;) {
      yield place;
      let axis = outer.length - 1;
      for (; axis >= 0; axis--) {
        index[axis]!++;
        place += strides[axis]!;
        if (index[axis]! < outer[axis]!) break;
        place -= index[axis]! * strides[axis]!;
        index[axis] = 0;
      }
      if (axis < 0) return;
    }
  }
  return { length: inner < 0 ? size : extents[inner]! * strides[inner]!, places: places() };
}

/** Joins the runs into chunks. */
async function* gather(source: Memory | OnDisk, runs: Runs, total: number): AsyncGenerator<Uint8Array> {
  let left = total;
  let chunk = Buffer.allocUnsafeSlow(Math.min(left, chunkBytes));
  let filled = 0;
  for (const place of runs.places) {
    for (let done = 0; done < runs.length; ) {
      const part = Math.min(runs.length - done, chunk.length - filled);
      if (!source.copy(chunk, filled, place + done, part)) await source.read(chunk, filled, place + done, part);
      done += part;
      filled += part;
      if (filled < chunk.length) continue;
      yield chunk;
      left -= filled;
      filled = 0;
      if (left > 0) chunk = Buffer.allocUnsafeSlow(Math.min(left, chunkBytes));
    }
  }
}

class Memory {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  copy(target: Buffer, at: number, begin: number, length: number): boolean {
    target.set(this.#bytes.subarray(begin, begin + length), at);
    return true;
  }

  async read(): Promise<void> {}
}

/** Long runs are read straight into the chunk; short ones through a window that reads ahead while they lie close together. */
class OnDisk {
  readonly #handle: FileHandle;
  readonly #span: FileSpan;
  #window = Buffer.alloc(0);
  #begin = 0;
  #end = 0;

  constructor(handle: FileHandle, span: FileSpan) {
    this.#handle = handle;
    this.#span = span;
  }

  /** Whether the window had the bytes. */
  copy(target: Buffer, at: number, begin: number, length: number): boolean {
    if (begin < this.#begin || begin + length > this.#end) return false;
    this.#window.copy(target, at, begin - this.#begin, begin - this.#begin + length);
    return true;
  }

  async read(target: Buffer, at: number, begin: number, length: number): Promise<void> {
    const near = begin >= this.#begin && begin - this.#end <= gapBytes;
    if (length >= longRunBytes || !near) {
      await this.#fill(target, at, begin, length);
      this.#begin = this.#end = begin + length;
      return;
    }
    if (this.#window.length === 0) this.#window = Buffer.allocUnsafeSlow(chunkBytes);
    const ahead = Math.min(chunkBytes, this.#span.length - begin);
    await this.#fill(this.#window, 0, begin, ahead);
    this.#begin = begin;
    this.#end = begin + ahead;
    this.copy(target, at, begin, length);
  }

  async #fill(target: Buffer, at: number, begin: number, length: number): Promise<void> {
    for (let done = 0; done < length; ) {
      const from = this.#span.offset + begin + done;
      const { bytesRead } = await this.#handle.read(target, at + done, length - done, from);
      if (bytesRead === 0) throw weightUnreadable(this.#span.file, `it ends at byte ${from}`);
      done += bytesRead;
    }
  }
}

async function openWeight(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw weightUnreadable(file, error instanceof Error ? error.message : String(error), error);
  }
}
