/** weights.bin: the weight slices one device needs, each content once. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Tensor } from '../compiler/ir/program.ts';
import type { Region } from '../compiler/ir/region.ts';
import { readRegion } from '../compiler/onnx/weights.ts';

export type Weight = Extract<Tensor, { role: 'weight' }>;

/** Bytes in the file. */
export interface Place {
  readonly offset: number;
  readonly length: number;
}

/** onnxruntime maps external data into memory, which starts at pages. */
const PAGE = 4096;

export class WeightsFile {
  private readonly places = new Map<string, Place>();
  private readonly contents = new Map<string, Place>();
  private end = 0;

  private constructor(private readonly file: FileHandle) {}

  static async create(path: string): Promise<WeightsFile> {
    return new WeightsFile(await open(path, 'wx'));
  }

  /** Writes the slice unless the file has it. */
  async place(weight: Weight, region: Region): Promise<Place> {
    const key = `${weight.name} ${region.map((span) => span.join(':')).join(',')}`;
    const known = this.places.get(key);
    if (known) return known;
    const offset = Math.ceil(this.end / PAGE) * PAGE;
    const hash = createHash('sha256');
    let length = 0;
    for await (const chunk of readRegion(weight, region)) {
      await this.file.write(chunk, 0, chunk.length, offset + length);
      hash.update(chunk);
      length += chunk.length;
    }
    const digest = hash.digest('hex');
    // The same content under another name: what was just written is overwritten by the next slice.
    const place = this.contents.get(digest) ?? { offset, length };
    if (place.offset === offset) this.end = offset + length;
    this.contents.set(digest, place);
    this.places.set(key, place);
    return place;
  }

  /** Bytes. */
  get size(): number {
    return this.end;
  }

  async close(): Promise<void> {
    await this.file.truncate(this.end);
    await this.file.close();
  }
}
