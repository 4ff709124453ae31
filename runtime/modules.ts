/**
 * Loads the two native packages. Through CommonJS resolution and not by import: the bundled runtime.js lies in a folder
 * that need not have node_modules, and NODE_PATH, through which `shardonnx run` lends its copies, is honoured by require only.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Ort from 'onnxruntime-node';
import type * as Zmq from 'zeromq';
import { ShardonnxError } from './error.ts';
import { giveWay } from './nap.ts';

const require = createRequire(import.meta.url);

/**
 * onnxruntime-node 1.30 keeps usage data and sends it to its makers unless told not to before it is loaded.
 * Whoever wants that sets ORT_DISABLE_TELEMETRY=0.
 * @throws dependency-missing
 */
export function onnxruntime(): typeof Ort {
  process.env.ORT_DISABLE_TELEMETRY ??= '1';
  return load('onnxruntime-node');
}

/** Loaded on first use: devices joined in one process need no network. @throws dependency-missing */
export function zeromq(): typeof Zmq {
  const module: typeof Zmq = load('zeromq');
  giveWay(module.context);
  return module;
}

/** Folders that make both packages resolvable from elsewhere when listed in NODE_PATH. */
export function moduleFolders(): string[] {
  const folders = ['onnxruntime-node', 'zeromq'].flatMap((name) => {
    const marker = `/node_modules/${name}/`;
    const file = resolve(name)?.replaceAll('\\', '/');
    const at = file?.lastIndexOf(marker) ?? -1;
    return file && at >= 0 ? [`${file.slice(0, at)}/node_modules`] : [];
  });
  return [...new Set(folders)];
}

function resolve(name: string): string | undefined {
  try {
    return require.resolve(name);
  } catch {
    return undefined;
  }
}

function load<Module>(name: string): Module {
  try {
    return require(name);
  } catch (cause) {
    throw dependencyMissing(name, cause);
  }
}

function dependencyMissing(name: string, cause: unknown): ShardonnxError {
  const folder = dirname(fileURLToPath(import.meta.url));
  const installed = resolve(name) !== undefined;
  const why =
    installed && cause instanceof Error ? `cannot be loaded: ${cause.message.split('\n')[0]}` : 'is not installed';
  return new ShardonnxError('dependency-missing', `${name} ${why}`, {
    hint: `run "npm install" in ${folder}`,
    cause,
  });
}
