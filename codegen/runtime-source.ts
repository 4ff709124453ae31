/** The runtime as bundles carry it: JavaScript that needs onnxruntime-node and zeromq, and its types. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Sources when run from a checkout, compiled files in the installed package. */
const extension = extname(fileURLToPath(import.meta.url));
const runtimeFile = (name: string, suffix: string) =>
  fileURLToPath(new URL(`../runtime/${name}${suffix}`, import.meta.url));

let bundled: Promise<Record<string, string>> | undefined;

/** runtime.js, and beside it the packages that it carries for when they are asked for: files by name. Built once a process. */
export function runtimeJavaScript(): Promise<Record<string, string>> {
  bundled ??= build({
    entryPoints: { runtime: runtimeFile('index', extension) },
    bundle: true,
    splitting: true,
    chunkNames: 'runtime-[name]',
    outdir: '.',
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: ['onnxruntime-node', 'zeromq'],
    // What the packages carried along require of Node itself.
    banner: { js: "import { createRequire as ofNode } from 'node:module'; const require = ofNode(import.meta.url);" },
    legalComments: 'none',
    logLevel: 'silent',
  }).then(({ outputFiles }) => Object.fromEntries(outputFiles.map(({ path, text }) => [basename(path), text])));
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
