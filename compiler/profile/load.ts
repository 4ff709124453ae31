/** What a device of a cluster was measured to need: a profile of ours, or a foreign table of layers. */
import { readFile } from 'node:fs/promises';
import { CompileError } from '../error.ts';
import { type LayerTable, parseLayerTable } from './layer-table.ts';
import { type Profile, parseProfile } from './profile.ts';

export type DeviceProfile =
  | { readonly kind: 'profile'; readonly file: string; readonly profile: Profile }
  | { readonly kind: 'table'; readonly file: string; readonly layers: LayerTable };

/** Files that end in .csv are tables. @throws profile, layer-table */
export async function loadProfile(file: string): Promise<DeviceProfile> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new CompileError('profile', `cannot read ${file}: ${cause.message}`, {
      at: [file],
      cause,
      hint: `measure the device, on the device: shardonnx profile MODEL -o ${file}`,
    });
  });
  if (/\.csv$/i.test(file)) return { kind: 'table', file, layers: parseLayerTable(text, file) };
  return { kind: 'profile', file, profile: parseProfile(text, file) };
}
