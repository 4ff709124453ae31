/** What a device can be told: `node main.js --peer server=tcp://10.0.0.2:7000 --input x=x.npy`. */
import { LEVELS, type Level } from './log.ts';
import { badFlag, type Option, readSettings, type Settings } from './settings.ts';
import { DEFAULT_TIMEOUTS, type Timeouts } from './transport.ts';

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
  /** That no other program takes. */
  readonly cores: number | undefined;
  /** Folder. */
  readonly keys: string | undefined;
  readonly insecure: boolean;
  /** The plan to use, counted from 1. */
  readonly plan: number | undefined;
  /** Whether it goes on when the holder of the inputs stops. */
  readonly stay: boolean;
  /** Where health and metrics are served. */
  readonly http: { readonly host: string; readonly port: number } | undefined;
  readonly log: LogFlags;
  readonly timeouts: Timeouts;
  readonly json: boolean;
  readonly ipc: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

export interface LogFlags {
  readonly level: Level;
  readonly format: 'text' | 'json';
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
  cores: { type: 'string' },
  keys: { type: 'string' },
  insecure: { type: 'boolean' },
  stay: { type: 'boolean' },
  'use-plan': { type: 'string' },
  http: { type: 'string' },
  'log-level': { type: 'string' },
  'log-format': { type: 'string' },
  timeout: { type: 'string' },
  'connect-timeout': { type: 'string' },
  json: { type: 'boolean' },
  config: { type: 'string' },
  ipc: { type: 'boolean', flagOnly: true },
  help: { type: 'boolean', short: 'h', flagOnly: true },
  version: { type: 'boolean', flagOnly: true },
} as const satisfies Record<string, Option>;
type Name = keyof typeof OPTIONS;

/** @throws bad-flag, bad-config */
export async function readFlags(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Flags> {
  const given = new Given(await readSettings(OPTIONS, args, env));
  return {
    listen: given.text('listen'),
    peers: given.pairs('peer', 'NAME=tcp://ADDRESS:PORT'),
    inputs: given.pairs('input', 'NAME=FILE.npy'),
    output: given.text('output'),
    repeat: given.number('repeat', true) ?? 1,
    inFlight: given.number('in-flight', true) ?? 1,
    trace: given.text('trace'),
    threads: given.number('threads', true),
    cores: given.number('cores', true),
    keys: given.text('keys'),
    insecure: given.yes('insecure'),
    stay: given.yes('stay'),
    plan: given.number('use-plan', true),
    http: given.address('http'),
    log: {
      level: given.choice('log-level', LEVELS) ?? 'info',
      format: given.choice('log-format', ['text', 'json'] as const) ?? 'text',
    },
    timeouts: {
      inference: given.number('timeout', false) ?? DEFAULT_TIMEOUTS.inference,
      connect: given.number('connect-timeout', false) ?? DEFAULT_TIMEOUTS.connect,
    },
    json: given.yes('json'),
    ipc: given.yes('ipc'),
    help: given.yes('help'),
    version: given.yes('version'),
  };
}

/** Settings as what they mean. */
class Given {
  constructor(private readonly settings: Settings) {}

  text(name: Name): string | undefined {
    return this.#first(name)?.text;
  }

  number(name: Name, whole: boolean): number | undefined {
    const given = this.#first(name);
    if (!given) return undefined;
    const { text, from } = given;
    const value = Number(text);
    if (text.trim() !== '' && value > 0 && Number.isFinite(value) && (!whole || Number.isInteger(value))) return value;
    throw badFlag(`${from} ${text} is not a ${whole ? 'whole ' : ''}number above 0`);
  }

  yes(name: Name): boolean {
    const given = this.#first(name);
    if (!given) return false;
    const value = { true: true, 1: true, false: false, 0: false }[given.text];
    if (value === undefined) throw badFlag(`${given.from} ${given.text} is neither true nor false`);
    return value;
  }

  choice<Choice extends string>(name: Name, choices: readonly Choice[]): Choice | undefined {
    const given = this.#first(name);
    if (!given) return undefined;
    const choice = choices.find((one) => one === given.text);
    if (choice === undefined) throw badFlag(`${given.from} ${given.text} is none of ${choices.join(', ')}`);
    return choice;
  }

  /** `9090` is this machine's alone, `0.0.0.0:9090` everybody's. */
  address(name: Name): { host: string; port: number } | undefined {
    const given = this.#first(name);
    if (!given) return undefined;
    const [, host = '127.0.0.1', port] = /^(?:(.+):)?(\d+)$/.exec(given.text) ?? [];
    if (port === undefined || Number(port) > 65535)
      throw badFlag(`${given.from} ${given.text} is not PORT or HOST:PORT`);
    return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
  }

  pairs(name: Name, form: string): Record<string, string> {
    const result: Record<string, string> = {};
    for (const { text, from } of this.settings.get(name) ?? []) {
      const at = text.indexOf('=');
      if (at <= 0 || at === text.length - 1) throw badFlag(`${from} ${text} is not of the form ${form}`);
      result[text.slice(0, at)] ??= text.slice(at + 1);
    }
    return result;
  }

  #first(name: Name) {
    return this.settings.get(name)?.[0];
  }
}
