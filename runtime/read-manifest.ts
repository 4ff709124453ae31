/** Reads device.json and bundle.json. Checked by hand: a device carries no validation library. */
import { readFile } from 'node:fs/promises';
import { basename, join, normalize } from 'node:path';
import { type DType, isDType } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import type { BundleManifest, ChannelSpec, DeviceManifest, PlanSpec, SegmentSpec, TensorSpec } from './manifest.ts';

/** @throws bundle-invalid */
export async function readDeviceManifest(directory: string): Promise<DeviceManifest> {
  const file = join(directory, 'device.json');
  return parse(file, await readJson(file), deviceManifest);
}

/** @throws bundle-invalid */
export async function readBundleManifest(directory: string): Promise<BundleManifest> {
  const file = join(directory, 'bundle.json');
  return parse(file, await readJson(file), bundleManifest);
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw bundleInvalid(file, cause.code === 'ENOENT' ? 'does not exist' : 'cannot be read', cause);
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw bundleInvalid(file, 'is not JSON', cause);
  }
}

function parse<T>(file: string, value: unknown, read: (value: unknown, at: string) => T): T {
  try {
    return read(value, '');
  } catch (error) {
    if (error instanceof Wrong) throw bundleInvalid(file, error.message, undefined);
    throw error;
  }
}

function bundleInvalid(file: string, what: string, cause: unknown): ShardonnxError {
  return new ShardonnxError('bundle-invalid', `${basename(file)} ${what}`, {
    at: [file],
    hint: 'compile the model again, and copy the whole folder to the device',
    cause,
  });
}

class Wrong extends Error {}

function deviceManifest(value: unknown, at: string): DeviceManifest {
  const o = object(value, at);
  format(o.format);
  const manifest: DeviceManifest = {
    format: 1,
    build: text(o.build, 'build'),
    device: text(o.device, 'device'),
    devices: list(o.devices, 'devices', text),
    inputs: list(o.inputs, 'inputs', tensorSpec),
    outputs: list(o.outputs, 'outputs', tensorSpec),
    inputDevice: text(o.inputDevice, 'inputDevice'),
    outputDevice: text(o.outputDevice, 'outputDevice'),
    ...(o.plans !== undefined && { plans: list(o.plans, 'plans', planSpec) }),
    channels: list(o.channels, 'channels', channelSpec),
    segments: list(o.segments, 'segments', segmentSpec),
    files: files(o.files, 'files'),
    threads: o.threads === null ? null : integer(o.threads, 'threads'),
    ...(o.providers !== undefined && { providers: list(o.providers, 'providers', text) }),
    ...(o.endpoints !== undefined && { endpoints: texts(o.endpoints, 'endpoints') }),
  };
  consistent(manifest);
  return manifest;
}

/** What the types cannot say. */
function consistent(manifest: DeviceManifest): void {
  const { device, devices, inputDevice, outputDevice, plans = [], channels, segments, files } = manifest;
  const named = [
    device,
    inputDevice,
    outputDevice,
    ...plans.flatMap((plan) => plan.devices),
    ...channels.flatMap(({ from, to }) => [from, to]),
  ];
  for (const name of named) if (!devices.includes(name)) throw new Wrong(`names ${name}, which is not in its devices`);
  if (new Set(devices).size !== devices.length) throw new Wrong('names a device twice');
  if (new Set(channels.map(({ id }) => id)).size !== channels.length) throw new Wrong('has two channels of one id');
  for (const { id, from, to } of channels) {
    if (from === to || (from !== device && to !== device)) throw new Wrong(`has channel ${id}, which is not its own`);
  }
  for (const { file } of segments) if (!Object.hasOwn(files, file)) throw new Wrong(`has no sha256 of ${file}`);
}

function bundleManifest(value: unknown, at: string): BundleManifest {
  const o = object(value, at);
  format(o.format);
  const devices = list(o.devices, 'devices', text);
  if (devices.length === 0) throw new Wrong('names no device');
  for (const device of devices) relativePath(device, 'devices');
  return { format: 1, build: text(o.build, 'build'), model: text(o.model, 'model'), devices };
}

function tensorSpec(value: unknown, at: string): TensorSpec {
  const o = object(value, at);
  return { name: text(o.name, `${at}.name`), dtype: dtype(o.dtype, `${at}.dtype`), shape: shape(o.shape, at) };
}

function channelSpec(value: unknown, at: string): ChannelSpec {
  const o = object(value, at);
  return {
    ...tensorSpec(value, at),
    id: integer(o.id, `${at}.id`),
    from: text(o.from, `${at}.from`),
    to: text(o.to, `${at}.to`),
  };
}

function planSpec(value: unknown, at: string): PlanSpec {
  const o = object(value, at);
  const devices = list(o.devices, `${at}.devices`, text);
  const common = { name: text(o.name, `${at}.name`), devices, seconds: number(o.seconds, `${at}.seconds`) };
  if (o.bandwidth === null) return { ...common, bandwidth: null };
  const [from = 0, to = 0] = list(o.bandwidth, `${at}.bandwidth`, positive);
  return { ...common, bandwidth: [from, to] };
}

function segmentSpec(value: unknown, at: string): SegmentSpec {
  const o = object(value, at);
  return {
    file: relativePath(text(o.file, `${at}.file`), `${at}.file`),
    inputs: list(o.inputs, `${at}.inputs`, tensorSpec),
    outputs: list(o.outputs, `${at}.outputs`, tensorSpec),
  };
}

function files(value: unknown, at: string): Record<string, string> {
  const all = texts(value, at);
  for (const [path, digest] of Object.entries(all)) {
    relativePath(path, at);
    if (!/^[0-9a-f]{64}$/.test(digest)) throw new Wrong(`has no sha256 at ${at}["${path}"]`);
  }
  return all;
}

/** A path that leaves the folder is refused. */
function relativePath(path: string, at: string): string {
  const plain = normalize(path);
  if (path === '' || plain.startsWith('..') || plain.startsWith('/') || /^[a-z]:/i.test(plain)) {
    throw new Wrong(`leaves its folder at ${at}: ${path}`);
  }
  return path;
}

function format(value: unknown): void {
  if (value !== 1) throw new Wrong(`has format ${JSON.stringify(value)}, this runtime reads 1`);
}

const shape = (value: unknown, at: string): (number | null)[] =>
  list(value, `${at}.shape`, (size, where) => (size === null ? null : integer(size, where)));

function dtype(value: unknown, at: string): DType {
  const name = text(value, at);
  if (!isDType(name)) throw new Wrong(`has the unknown dtype ${name} at ${at}`);
  return name;
}

function text(value: unknown, at: string): string {
  if (typeof value !== 'string') throw wrongType(value, at, 'a text');
  return value;
}

function positive(value: unknown, at: string): number {
  if (typeof value !== 'number' || !(value > 0)) throw wrongType(value, at, 'a number above 0');
  return value;
}

function number(value: unknown, at: string): number {
  if (typeof value !== 'number' || !(value >= 0)) throw wrongType(value, at, 'a number');
  return value;
}

function integer(value: unknown, at: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrongType(value, at, 'a whole number');
  }
  return value;
}

function list<T>(value: unknown, at: string, item: (value: unknown, at: string) => T): T[] {
  if (!Array.isArray(value)) throw wrongType(value, at, 'a list');
  return value.map((one, i) => item(one, `${at}[${i}]`));
}

function texts(value: unknown, at: string): Record<string, string> {
  return Object.fromEntries(Object.entries(object(value, at)).map(([key, one]) => [key, text(one, `${at}["${key}"]`)]));
}

function object(value: unknown, at: string): Record<string, unknown> {
  if (!isObject(value)) throw wrongType(value, at, 'an object');
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function wrongType(value: unknown, at: string, expected: string): Wrong {
  const given = value === undefined ? 'nothing' : (JSON.stringify(value) ?? String(value)).slice(0, 60);
  return new Wrong(`has ${given}${at && ` at ${at}`}, ${expected} is expected`);
}
