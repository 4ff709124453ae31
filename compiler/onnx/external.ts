/** Where a tensor's bytes are, when they are in a file: beside the model, or in the model itself. */
import { realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { externalMissing, externalOutside, externalShort, tensorSize } from './errors.ts';
import type { TensorProto } from './proto.ts';
import { insideKeys } from './scan.ts';

export interface FileSpan {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * @param expected bytes the tensor's shape asks for
 * @throws external-data-missing, external-data-short, external-data-outside, tensor-size
 */
export function locate(modelFile: string, tensor: TensorProto, expected: number, name: string): FileSpan {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value ?? '']));
  const inside = entries.get(insideKeys.length);
  if (inside !== undefined) {
    return { file: path.resolve(modelFile), offset: Number(entries.get(insideKeys.offset)), length: Number(inside) };
  }
  const location = entries.get('location') ?? '';
  const file = besideModel(modelFile, name, location);
  const number = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined) return otherwise;
    if (!/^\d{1,15}$/.test(text)) throw tensorSize(modelFile, name, `external data has ${key} "${text}"`);
    return Number(text);
  };
  const span = { file, offset: number('offset', 0), length: number('length', expected) };
  const { size } = statSync(file);
  const needed = span.offset + span.length;
  if (needed > size) throw externalShort(modelFile, name, location, needed, size);
  return span;
}

/** Links are resolved first, so that none leads out of the folder. */
function besideModel(modelFile: string, tensor: string, location: string): string {
  const folder = realpathSync(path.dirname(modelFile));
  const isInside = (file: string) => file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
  const file = path.resolve(folder, location);
  if (path.isAbsolute(location) || path.win32.isAbsolute(location) || !isInside(file) || location.includes('\0')) {
    throw externalOutside(modelFile, tensor, location);
  }
  const real = resolveLinks(modelFile, tensor, location, file);
  if (!isInside(real)) throw externalOutside(modelFile, tensor, location);
  if (!statSync(real).isFile()) throw externalMissing(modelFile, tensor, location);
  return real;
}

function resolveLinks(modelFile: string, tensor: string, location: string, file: string): string {
  try {
    return realpathSync(file);
  } catch (error) {
    throw externalMissing(modelFile, tensor, location, error);
  }
}
