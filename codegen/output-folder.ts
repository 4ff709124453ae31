/** The folder a build goes to: replaced in one go or not at all, and only where it is ours. */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CompileError } from '../compiler/error.ts';

const bundleFile = z.object({ devices: z.array(z.string()) });

/** Whether `folder` may be replaced: absent, empty, or an earlier build of these files and its devices. @throws output-not-ours */
async function checkOutput(folder: string, files: readonly string[]): Promise<void> {
  const refuse = (what: string): never => {
    throw new CompileError('output-not-ours', `${folder} ${what}`, {
      hint: 'name another folder with -o, or empty this one yourself',
    });
  };
  const found = await stat(folder).catch(() => undefined);
  if (!found) return;
  if (!found.isDirectory()) refuse('is a file');
  const names = await readdir(folder);
  if (names.length === 0) return;
  const devices = await readFile(join(folder, 'bundle.json'), 'utf8')
    .then((text) => bundleFile.parse(JSON.parse(text)).devices)
    .catch(() => refuse('is not empty and no build of shardonnx'));
  const stranger = names.find((name) => !files.includes(name) && !devices.includes(name));
  if (stranger) refuse(`holds "${stranger}", which no build of shardonnx has`);
}

/**
 * Writes beside the target first and renames at the end, so that a failure leaves nothing.
 * @param files that a build has beside the folders of its devices
 * @throws output-not-ours
 */
export async function replaceFolder<T>(
  output: string,
  files: readonly string[],
  write: (draft: string) => Promise<T>,
): Promise<T> {
  const target = resolve(output);
  await checkOutput(target, files);
  await mkdir(dirname(target), { recursive: true });
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(draft);
    const written = await write(draft);
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
    return written;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
