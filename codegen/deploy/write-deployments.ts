/** Writes deploy/ of a build: files for the engines that run fleets. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { compose } from './compose.ts';
import { containerfile } from './containerfile.ts';
import type { Deployed } from './deployment.ts';
import { kubernetes } from './kubernetes.ts';
import { systemd } from './systemd.ts';

export const ENGINES = ['compose', 'kubernetes', 'systemd'] as const;
export type Engine = (typeof ENGINES)[number];

/** Beside the folders of the devices. */
export const DEPLOY = 'deploy';

/** Files by name. */
function filesOf(engine: Engine, all: Deployed): Record<string, string> {
  const images = () =>
    Object.fromEntries(all.devices.map((own) => [`${own.device}.Containerfile`, containerfile(own)]));
  switch (engine) {
    case 'compose':
      return { ...images(), 'compose.yaml': compose(all) };
    case 'kubernetes':
      return { ...images(), 'kubernetes.yaml': kubernetes(all) };
    case 'systemd':
      return Object.fromEntries(all.devices.map((own) => [`shardonnx-${own.name}.service`, systemd(own)]));
    default:
      return engine satisfies never;
  }
}

export async function writeDeployments(build: string, engines: readonly Engine[], all: Deployed): Promise<void> {
  const folder = join(build, DEPLOY);
  await mkdir(folder, { recursive: true });
  for (const engine of new Set(engines)) {
    for (const [name, text] of Object.entries(filesOf(engine, all))) await writeFile(join(folder, name), text);
  }
}
