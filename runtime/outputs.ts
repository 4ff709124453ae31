/** Outputs as files. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeNpy } from './npy.ts';
import type { NamedTensors } from './program.ts';

/** Names as files can have them, each another: `a/b` and `a:b` are `a_b.npy` and `a_b_2.npy`. Some file systems ignore case. */
export function fileNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const base = name.replaceAll(/[^\w.-]+/g, '_');
    let file = base;
    for (let i = 2; taken.has(file.toLowerCase()); i++) file = `${base}_${i}`;
    taken.add(file.toLowerCase());
    return `${file}.npy`;
  });
}

/** Each output to a file of its name in `directory`, which is made. @throws npy-unsupported for strings */
export async function writeOutputs(directory: string, outputs: NamedTensors): Promise<void> {
  await mkdir(directory, { recursive: true });
  const files = fileNames(Object.keys(outputs));
  for (const [i, tensor] of Object.values(outputs).entries()) await writeNpy(join(directory, files[i] ?? ''), tensor);
}
