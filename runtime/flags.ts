/** The command line of a device: `node main.js --peer server=tcp://10.0.0.2:7000 --input x=x.npy`. */
import { parseArgs } from 'node:util';
import { ShardonnxError } from './error.ts';
import { describe } from './inputs.ts';
import type { DeviceManifest } from './manifest.ts';
import { callersOf, DEFAULT_TIMEOUTS, listenersOf, type Timeouts } from './transport.ts';

export interface Flags {
  readonly listen: string | undefined;
  /** Endpoints by device. */
  readonly peers: Readonly<Record<string, string>>;
  /** Files, or `random`, by input. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Folder for the outputs. */
  readonly output: string | undefined;
  readonly repeat: number;
  /** File for what was done and when. */
  readonly trace: string | undefined;
  /** Inferences at once. */
  readonly inFlight: number;
  readonly threads: number | undefined;
  /** Folder. */
  readonly keys: string | undefined;
  readonly insecure: boolean;
  readonly timeouts: Timeouts;
  readonly json: boolean;
  readonly ipc: boolean;
  readonly help: boolean;
}

const OPTIONS = {
  listen: { type: 'string' },
  peer: { type: 'string', multiple: true },
  input: { type: 'string', multiple: true },
  output: { type: 'string' },
  repeat: { type: 'string' },
  'in-flight': { type: 'string' },
  trace: { type: 'string' },
  threads: { type: 'string' },
  keys: { type: 'string' },
  insecure: { type: 'boolean' },
  timeout: { type: 'string' },
  'connect-timeout': { type: 'string' },
  json: { type: 'boolean' },
  ipc: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws bad-flag */
export function parseFlags(args: readonly string[]): Flags {
  const values = parse(args);
  const number = (name: 'repeat' | 'in-flight' | 'threads' | 'timeout' | 'connect-timeout', whole: boolean) => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && Number.isFinite(value) && (!whole || Number.isInteger(value))) return value;
    throw badFlag(`--${name} ${text} is not a ${whole ? 'whole ' : ''}number above 0`);
  };
  return {
    listen: values.listen,
    peers: pairs('peer', values.peer, 'NAME=tcp://ADDRESS:PORT'),
    inputs: pairs('input', values.input, 'NAME=FILE.npy'),
    output: values.output,
    repeat: number('repeat', true) ?? 1,
    inFlight: number('in-flight', true) ?? 1,
    trace: values.trace,
    threads: number('threads', true),
    keys: values.keys,
    insecure: values.insecure ?? false,
    timeouts: {
      inference: number('timeout', false) ?? DEFAULT_TIMEOUTS.inference,
      connect: number('connect-timeout', false) ?? DEFAULT_TIMEOUTS.connect,
    },
    json: values.json ?? false,
    ipc: values.ipc ?? false,
    help: values.help ?? false,
  };
}

export function help(manifest: DeviceManifest): string {
  const { device, build, inputs, outputs } = manifest;
  const lines = [
    `${device}, a device of build ${build.slice(0, 12)}`,
    `  inputs   ${inputs.map(describe).join(', ') || 'none: another device holds them'}`,
    `  outputs  ${outputs.map(describe).join(', ') || 'none: another device has them'}`,
    ...callersOf(manifest).map((peer) => `  listens  for ${peer}`),
    ...listenersOf(manifest).map((peer) => `  connects to ${peer}`),
    '',
    '  --listen tcp://0.0.0.0:7000      where other devices find this one',
    '  --peer NAME=tcp://ADDRESS:PORT   where this device finds another; repeatable',
    '  --input NAME=FILE.npy            an input, or NAME=random; repeatable',
    '  --keys DIR                       keys of this build\'s devices ("shardonnx keys"); keys/ beside main.js if it is there',
    '  --insecure                       go without keys where others can reach this device: nothing is encrypted',
    '  --output DIR                     write each output to DIR/NAME.npy, the latest stays',
    '  --repeat N                       inferences, 1',
    '  --in-flight N                    inferences at once, 1',
    '  --trace FILE                     what was done and when, for Chrome or ui.perfetto.dev',
    "  --threads N                      onnxruntime's",
    `  --timeout SECONDS                for every wait during an inference, ${DEFAULT_TIMEOUTS.inference}`,
    `  --connect-timeout SECONDS        for all peers to come, ${DEFAULT_TIMEOUTS.connect}`,
    '  --json                           print one JSON object at the end, all else on stderr',
    '  --help',
  ];
  return lines.join('\n');
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw badFlag(error instanceof Error ? error.message : String(error));
  }
}

function pairs(flag: string, texts: readonly string[] | undefined, form: string): Record<string, string> {
  const result: Record<string, string> = {};
  for (const text of texts ?? []) {
    const at = text.indexOf('=');
    if (at <= 0 || at === text.length - 1) throw badFlag(`--${flag} ${text} is not of the form ${form}`);
    result[text.slice(0, at)] = text.slice(at + 1);
  }
  return result;
}

const badFlag = (message: string) => new ShardonnxError('bad-flag', message, { hint: '--help lists the flags' });
