/** Profiles of a testbed's hosts, each measured on its host while the others measure theirs: they share a machine, then as later. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Profile, parseProfile } from '../../../compiler/profile/profile.ts';
import { main } from '../../support/cli.ts';
import { spoken } from './spoken.ts';
import type { Testbed } from './testbed.ts';

/** @param budget seconds @returns one a host, with one thread */
export async function measuredProfiles(
  testbed: Testbed,
  hosts: readonly string[],
  model: string,
  folder: string,
  budget: number,
  dims: Readonly<Record<string, number>> = {},
): Promise<Profile[]> {
  return Promise.all(
    hosts.map(async (host) => {
      const file = join(folder, `${host}.profile.json`);
      const sizes = Object.entries(dims).map(([name, size]) => `--dim=${name}=${size}`);
      const flags = [...sizes, '--device-threads', '1', '--budget', String(budget), '-o', file];
      const args = ['--import', 'tsx', main, 'profile', model, ...flags];
      const { status, stderr } = await spoken(testbed.spawn(host, process.execPath, args));
      if (status !== 0) throw new Error(`${host} could not be measured: ${stderr}`);
      return parseProfile(await readFile(file, 'utf8'), file);
    }),
  );
}
