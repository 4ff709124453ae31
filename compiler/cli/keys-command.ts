/** `shardonnx keys`: who may talk to whom. */
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { chmod, copyFile, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { KEYS_FOLDER, PUBLIC_KEYS, type PublicKey, readPublicKeys, secretKeyFile } from '../../runtime/keys.ts';
import { readBundleManifest } from '../../runtime/read-manifest.ts';
import { CompileError } from '../error.ts';
import { type OutputOptions, printResult } from './output.ts';

interface Options extends OutputOptions {
  readonly output: string;
  readonly renew?: boolean;
  readonly intoBundle?: boolean;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** A build's devices, or the names themselves. @throws flag, bundle-invalid */
async function devicesOf(given: readonly string[], { intoBundle }: Options) {
  const [first = ''] = given;
  if (given.length === 1 && (await exists(join(first, 'bundle.json')))) {
    return { build: first, devices: (await readBundleManifest(first)).devices };
  }
  const hint = 'write shardonnx keys build/, or the names of all devices: shardonnx keys robot server';
  if (intoBundle) throw new CompileError('flag', `--into-bundle: ${given.join(' ')} is no build`, { hint });
  const wrong = given.find((name) => !/^[A-Za-z][\w-]*$/.test(name));
  if (wrong !== undefined) {
    throw new CompileError('flag', `"${wrong}" is neither a build nor the name of a device`, { hint });
  }
  return { build: null, devices: given };
}

async function writeSecret(file: string, key: JsonWebKey): Promise<void> {
  await rm(file, { force: true });
  await writeFile(file, `${JSON.stringify(key)}\n`, { mode: 0o600, flag: 'wx' });
}

/** @returns the public key of a new pair, whose secret is in `folder` */
async function makeKey(folder: string, device: string): Promise<PublicKey> {
  const { d, x = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const key: PublicKey = { kty: 'OKP', crv: 'X25519', kid: device, x };
  await writeSecret(join(folder, secretKeyFile(device)), { ...key, d });
  return key;
}

/** Each device's own keys in its folder of the build. */
async function copyInto(build: string, folder: string, devices: readonly string[]): Promise<void> {
  for (const device of devices) {
    const own = join(build, device, KEYS_FOLDER);
    const secret = join(own, secretKeyFile(device));
    await mkdir(own, { recursive: true, mode: 0o700 });
    await rm(secret, { force: true });
    await copyFile(join(folder, secretKeyFile(device)), secret);
    await chmod(secret, 0o600);
    await copyFile(join(folder, PUBLIC_KEYS), join(own, PUBLIC_KEYS));
  }
}

async function run(given: readonly string[], options: Options): Promise<void> {
  const { output, renew } = options;
  const { build, devices } = await devicesOf(given, options);
  await mkdir(output, { recursive: true, mode: 0o700 });
  const file = join(output, PUBLIC_KEYS);
  const known = (await exists(file)) ? await readPublicKeys(file) : [];
  const made: PublicKey[] = [];
  for (const device of new Set(devices)) {
    const kept = known.some(({ kid }) => kid === device) && (await exists(join(output, secretKeyFile(device))));
    if (renew || !kept) made.push(await makeKey(output, device));
  }
  const isNew = (device: string) => made.some(({ kid }) => kid === device);
  const keys = [...known.filter(({ kid }) => !isNew(kid)), ...made];
  await writeFile(file, `{"keys": [\n${keys.map((key) => `  ${JSON.stringify(key)}`).join(',\n')}\n]}\n`);
  if (build !== null && options.intoBundle) await copyInto(build, output, devices);
  const kept = [...new Set(devices)].filter((device) => !isNew(device));
  const where = options.intoBundle
    ? `each device's are in its folder of ${build}: copy them with care, and let them into no image and no archive`
    : `give each device ${file} and its own secret, as DEVICE/${KEYS_FOLDER}/ or with --keys; no secret is for anybody else`;
  const text = [
    ...(made.length > 0 ? [`made keys of ${made.map(({ kid }) => kid).join(', ')} in ${output}`] : []),
    ...(kept.length > 0 ? [`kept those of ${kept.join(', ')}; --renew replaces them`] : []),
    where,
  ].join('\n');
  printResult(options, { ok: true, folder: output, made: made.map(({ kid }) => kid), kept }, text);
}

export const addKeys = (program: Command): void => {
  program
    .command('keys')
    .description('make the keys with which devices know each other')
    .argument('<devices...>', 'names of all devices, or a build folder')
    .option('-o, --output <folder>', 'where secret and public keys are kept', KEYS_FOLDER)
    .option('--renew', 'replace keys that are there')
    .option('--into-bundle', "also copy each device's keys into its folder of the build, secret and all")
    .option('--json', 'print one JSON object')
    .action(run);
};
