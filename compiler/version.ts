/** This package's version. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The nearest package.json above: one folder up in a checkout, two in dist. */
function packageFile(folder: string): string {
  const file = join(folder, 'package.json');
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return packageFile(dirname(folder));
  }
}

export const version: string = JSON.parse(packageFile(dirname(fileURLToPath(import.meta.url)))).version;
