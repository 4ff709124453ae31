/** The runtime as bundles carry it: one JavaScript file that needs onnxruntime-node and zeromq, and its types. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Sources when run from a checkout, compiled files in the installed package. */
const extension = extname(fileURLToPath(import.meta.url));
const runtimeFile = (name: string, suffix: string) =>
  fileURLToPath(new URL(`../runtime/${name}${suffix}`, import.meta.url));

let bundled: Promise<string> | undefined;

/** runtime.js; built once a process. */
export function runtimeJavaScript(): Promise<string> {
  bundled ??= build({
    entryPoints: [runtimeFile('index', extension)],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['onnxruntime-node', 'zeromq'],
    legalComments: 'none',
    logLevel: 'silent',
  }).then((result) => result.outputFiles[0]!.text);
  return bundled;
}

/** runtime.d.ts: what program.ts imports. */
export const runtimeTypes = (): Promise<string> =>
  readFile(runtimeFile('program', extension === '.ts' ? '.ts' : '.d.ts'), 'utf8');

/** Versions of what a bundle needs, as this installation has them. */
export function runtimeDependencies(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const version = (name: string): string => require(`${name}/package.json`).version;
  return { 'onnxruntime-node': version('onnxruntime-node'), zeromq: version('zeromq') };
}
