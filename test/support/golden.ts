/** Texts that are compared with what is kept in a folder; UPDATE=1 keeps the new ones instead. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';

const update = Boolean(process.env.UPDATE);
if (update && process.env.CI) throw new Error('UPDATE=1 would make every golden test pass: not where CI is set');

/** @param texts by path inside the folder; the folder must hold these files and no others */
export async function compareWithFolder(folder: string, texts: Readonly<Record<string, string>>): Promise<void> {
  if (update) {
    await rm(folder, { recursive: true, force: true });
    for (const [name, text] of Object.entries(texts)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const kept = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  assert.equal(
    kept.sort(),
    Object.keys(texts)
      .map((name) => join(folder, name))
      .sort(),
    'files (UPDATE=1 rewrites them)',
  );
  for (const [name, text] of Object.entries(texts)) {
    const [is, was] = [text, await readFile(join(folder, name), 'utf8')].map((all) => all.split('\n'));
    const at = is!.findIndex((line, i) => line !== was![i]);
    assert.is(at < 0 ? '' : is![at], at < 0 ? '' : was![at], `${name}, line ${at + 1} (UPDATE=1 rewrites it)`);
    assert.is(is!.length, was!.length, `lines of ${name} (UPDATE=1 rewrites it)`);
  }
}

/** A dump without what differs from machine to machine or helps no reader: folders of weight files, bytes of small weights. */
export const portable = (dump: string): string =>
  dump
    .replace(/ = file "[^"]*[/\\]([^"/\\]+)"/g, ' = file "$1"')
    .replace(
      / = data "([A-Za-z0-9+/=]{48,})"/g,
      (_, base64) => ` = data "… ${Buffer.from(base64, 'base64').length} bytes"`,
    );
