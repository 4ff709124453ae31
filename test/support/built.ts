/** Models built in a test, imported. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Program } from '../../compiler/ir/program.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';

/** The file is gone when this returns: for programs whose weights are not read. */
export async function importBuilt(name: string, build: (graph: Builder) => void): Promise<Program<'imported'>> {
  const folder = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
  try {
    const graph = new Builder(name);
    build(graph);
    const file = join(folder, `${name}.onnx`);
    writeModel(graph.finish(), file);
    return await importModel(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}
