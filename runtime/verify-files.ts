/** Checks a device's folder against the digests in its device.json. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ShardonnxError } from './error.ts';
import type { DeviceManifest } from './manifest.ts';

/**
 * A file more is refused only in the sub-folders that the build wrote: beside them, a device may keep node_modules, inputs and outputs.
 * @throws bundle-altered
 */
export async function verifyFiles(directory: string, { device, files }: DeviceManifest): Promise<void> {
  for (const [path, expected] of Object.entries(files)) {
    const digest = await sha256(join(directory, path)).catch((cause) => {
      throw bundleAltered(directory, `${device}/${path}`, cause.code === 'ENOENT' ? 'is missing' : 'cannot be read');
    });
    if (digest !== expected) throw bundleAltered(directory, `${device}/${path}`, 'is not the file that was compiled');
  }
  const folders = new Set(Object.keys(files).flatMap((path) => (path.includes('/') ? [path.split('/')[0]!] : [])));
  for (const folder of folders) {
    for (const name of await readdir(join(directory, folder), { recursive: true })) {
      const path = `${folder}/${name.replaceAll('\\', '/')}`;
      if (Object.hasOwn(files, path) || (await stat(join(directory, path))).isDirectory()) continue;
      throw bundleAltered(directory, `${device}/${path}`, 'does not belong to the build');
    }
  }
}

/** Hex. Streams: a weights file can be larger than memory. */
async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), hash);
  return hash.digest('hex');
}

function bundleAltered(directory: string, path: string, what: string): ShardonnxError {
  return new ShardonnxError('bundle-altered', `${path} ${what}`, {
    at: [directory],
    hint: 'copy the whole folder to the device again, or compile again',
  });
}
