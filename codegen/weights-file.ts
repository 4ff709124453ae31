/** weights.bin: the weight slices one device needs, each content once. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { listAt } from '../compiler/ir/lists.ts';
import type { Tensor } from '../compiler/ir/program.ts';
import { count, type Region } from '../compiler/ir/region.ts';
import { readRegion } from '../compiler/onnx/weights.ts';
import { bytesPerElement } from '../runtime/dtype.ts';

export type Weight = Extract<Tensor, { role: 'weight' }>;

/** Bytes in the file. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** onnxruntime maps external data into memory, which starts at pages. */
const PAGE = 4096;
/** Bytes that tell most slices apart without reading them whole. */
const HEAD = 4096;

export class WeightsFile {
  private readonly places = new Map<string, Place>();
  /** Places that begin alike and are equally long. */
  private readonly alike = new Map<string, Place[]>();
  /** Of all that was written, so that the file need not be read again. */
  private readonly hash = createHash('sha256');
  private end = 0;

  private constructor(private readonly file: FileHandle) {}

  static async create(path: string): Promise<WeightsFile> {
    return new WeightsFile(await open(path, 'wx+'));
  }

  /** Writes the slice unless the file has its content. */
  async place(weight: Weight, region: Region): Promise<Place> {
    const key = `${weight.name} ${region.map((span) => span.join(':')).join(',')}`;
    const known = this.places.get(key) ?? (await this.findOrWrite(weight, region));
    this.places.set(key, known);
    return known;
  }

  private async findOrWrite(weight: Weight, region: Region): Promise<Place> {
    const length = count(region) * bytesPerElement(weight.dtype);
    const alike = await this.listOfAlike(weight, region, length);
    for (const place of alike) if (await this.holds(place, weight, region)) return place;
    const place = { offset: Math.ceil(this.end / PAGE) * PAGE, length };
    await this.append(Buffer.alloc(place.offset - this.end));
    for await (const chunk of readRegion(weight, region)) await this.append(chunk);
    alike.push(place);
    return place;
  }

  private async listOfAlike(weight: Weight, region: Region, length: number): Promise<Place[]> {
    let head = new Uint8Array();
    for await (const chunk of readRegion(weight, region)) {
      head = Uint8Array.from(chunk.subarray(0, HEAD));
      break;
    }
    const key = `${length} ${createHash('sha256').update(head).digest('hex')}`;
    return listAt(this.alike, key);
  }

  /** Whether the bytes at a place are the slice's. */
  private async holds({ offset }: Place, weight: Weight, region: Region): Promise<boolean> {
    let position = offset;
    for await (const chunk of readRegion(weight, region)) {
      const written = Buffer.alloc(chunk.length);
      await this.file.read(written, 0, written.length, position);
      if (!written.equals(chunk)) return false;
      position += chunk.length;
    }
    return true;
  }

  private async append(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.hash.update(bytes);
    await this.file.write(bytes, 0, bytes.length, this.end);
    this.end += bytes.length;
  }

  /** Bytes. */
  get size(): number {
    return this.end;
  }

  /** Closes the file; its sha256. */
  async close(): Promise<string> {
    await this.file.close();
    return this.hash.digest('hex');
  }
}
