/** A device's programs, as its main.js gives them to the runtime: one a plan. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Program } from '../../runtime/index.ts';
import { readDeviceManifest } from '../../runtime/index.ts';

export async function programsOf(build: string, device: string): Promise<Program[]> {
  const folder = join(build, device);
  const { plans } = await readDeviceManifest(folder);
  const files = Array.from({ length: plans?.length ?? 1 }, (_, i) => `program${i === 0 ? '' : `-${i + 1}`}.js`);
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(folder, file)).href)));
  return modules.map(({ program }) => program);
}
