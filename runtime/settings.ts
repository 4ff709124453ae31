/** What a device is told, from three places: its command line, the environment, a file. */
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ShardonnxError } from './error.ts';

export interface Option {
  readonly type: 'string' | 'boolean';
  /** NAME=VALUE, several. */
  readonly multiple?: boolean;
  readonly short?: string;
  /** On the command line alone. */
  readonly flagOnly?: boolean;
}

/** A value with where it was given, to be named in errors: `--repeat`, `SHARDONNX_REPEAT`, `repeat in robot.yaml`. */
export interface Setting {
  readonly text: string;
  readonly from: string;
}

/** By option; of several places the first counts, of NAME=VALUE the first that has the name. */
export type Settings = ReadonlyMap<string, readonly Setting[]>;
type Options = Readonly<Record<string, Option>>;

export const badFlag = (message: string, hint = '--help lists the flags') =>
  new ShardonnxError('bad-flag', message, { hint });

/** The flag counts before the environment, the environment before the file. @throws bad-flag, bad-config */
export async function readSettings(
  options: Options,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Settings> {
  const flags = fromFlags(options, args);
  // A parent process says all there is to say.
  if (flags.has('ipc')) return flags;
  const environment = fromEnvironment(options, env);
  const file = (flags.get('config') ?? environment.get('config'))?.[0];
  const sources = [flags, environment, file ? await fromFile(options, file) : new Map<string, Setting[]>()];
  return new Map(Object.keys(options).map((name) => [name, sources.flatMap((source) => source.get(name) ?? [])]));
}

function fromFlags(options: Options, args: readonly string[]): Map<string, Setting[]> {
  const known = Object.fromEntries(
    Object.entries(options).map(([name, { type, multiple = false, short }]) => [
      name,
      { type, multiple, ...(short !== undefined && { short }) },
    ]),
  );
  const given = new Map<string, Setting[]>();
  for (const [name, value] of Object.entries(parse(args, known))) {
    const from = `--${name}`;
    // The last of a name counts.
    const texts = [value ?? ''].flat().toReversed();
    given.set(
      name,
      texts.map((text) => ({ text: String(text), from })),
    );
  }
  return given;
}

function parse(args: readonly string[], options: NonNullable<Parameters<typeof parseArgs>[0]>['options']) {
  try {
    return parseArgs({ args: [...args], options: options ?? {}, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw badFlag(error instanceof Error ? error.message : String(error));
  }
}

/** `SHARDONNX_CONNECT_TIMEOUT=10`; of several values `SHARDONNX_PEER=server=tcp://…,screen=tcp://…`. */
function fromEnvironment(options: Options, env: NodeJS.ProcessEnv): Map<string, Setting[]> {
  const given = new Map<string, Setting[]>();
  for (const [name, { multiple, flagOnly }] of Object.entries(options)) {
    const from = `SHARDONNX_${name.toUpperCase().replaceAll('-', '_')}`;
    const value = env[from];
    if (flagOnly || value === undefined || value === '') continue;
    const texts = multiple ? value.split(',').map((text) => text.trim()) : [value];
    given.set(
      name,
      texts.map((text) => ({ text, from })),
    );
  }
  return given;
}

/** JSON or YAML: `repeat: 10`, `peer: { server: tcp://10.0.0.2:7000 }`. */
async function fromFile(options: Options, { text: file, from }: Setting): Promise<Map<string, Setting[]>> {
  const content = await readFile(file, 'utf8').catch((cause) => {
    throw badConfig(file, cause.code === 'ENOENT' ? `does not exist (${from})` : `cannot be read (${cause.code})`);
  });
  const value = await yaml(file, content);
  if (!isObject(value)) throw badConfig(file, 'is no list of flags and their values');
  const given = new Map<string, Setting[]>();
  for (const [name, one] of Object.entries(value)) {
    const option = options[name];
    if (!option || option.flagOnly || name === 'config') throw badConfig(file, `has the unknown entry "${name}"`);
    const from = `${name} in ${file}`;
    given.set(
      name,
      textsOf(file, name, one, option).map((text) => ({ text, from })),
    );
  }
  return given;
}

function textsOf(file: string, name: string, value: unknown, { multiple }: Option): string[] {
  if (multiple && isObject(value)) {
    return Object.entries(value).map(([key, one]) => `${key}=${scalar(file, `${name}.${key}`, one)}`);
  }
  if (multiple && Array.isArray(value)) return value.map((one) => scalar(file, name, one));
  return [scalar(file, name, value)];
}

function scalar(file: string, name: string, value: unknown): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw badConfig(file, `has no plain value at ${name}`);
}

async function yaml(file: string, content: string): Promise<unknown> {
  const { parseYaml } = await import('./parse-yaml.ts');
  try {
    return parseYaml(content);
  } catch (error) {
    throw badConfig(file, `is neither YAML nor JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const badConfig = (file: string, what: string) =>
  new ShardonnxError('bad-config', `${file} ${what}`, {
    hint: 'it takes the flags of --help without their dashes, in YAML or JSON: repeat: 10, peer: { NAME: tcp://… }',
  });
