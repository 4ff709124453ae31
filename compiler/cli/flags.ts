/** Flags that several commands share. */
import { Option } from 'commander';
import { CompileError } from '../error.ts';

/** A flag that may be given several times. */
export const repeatable = (flags: string, description: string, standard = 'none'): Option =>
  new Option(flags, `${description} (repeatable)`)
    .argParser((value: string, earlier: readonly string[]) => [...earlier, value])
    .default([], standard);

export const flagError = (message: string, hint: string) => new CompileError('flag', message, { hint });

/** `NAME=SIZE` … by name. @throws flag */
export function dimensions(texts: readonly string[]): Record<string, number> {
  return Object.fromEntries(
    texts.map((text): [string, number] => {
      const match = /^(.+)=(\d+)$/.exec(text);
      if (!match || Number(match[2]) < 1) throw flagError(`--dim ${text}`, 'write NAME=SIZE, e.g. --dim batch=1');
      return [match[1]!, Number(match[2])];
    }),
  );
}

export const dimOption = (): Option =>
  repeatable('--dim <name=size>', 'size of a free dimension, e.g. batch=1 or x:2=640');
export const inputOption = (): Option =>
  repeatable('-i, --input <file>', 'FILE or NAME=FILE (.npy, .png, .pb), or random', 'random');

/** A positive number, for commander. @throws flag */
export const positive =
  (flag: string) =>
  (text: string): number => {
    const value = Number(text);
    if (!(value > 0) || value === Infinity) throw flagError(`${flag} ${text}`, 'a number above zero is needed');
    return value;
  };

/** A share below one, 0 included, for commander. @throws flag */
export const share =
  (flag: string) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!(value >= 0 && value < 1))
      throw flagError(`${flag} ${text}`, 'a number from 0 to below 1 is needed, e.g. 1e-3');
    return value;
  };

/** A positive integer, for commander. @throws flag */
export const positiveInteger =
  (flag: string) =>
  (text: string): number => {
    if (!/^[1-9]\d*$/.test(text)) throw flagError(`${flag} ${text}`, 'a whole number above zero is needed');
    return Number(text);
  };

export const transportOption = (standard: 'tcp' | 'memory'): Option =>
  new Option('--transport <kind>', 'tcp: one process a device; memory: all in one')
    .choices(['tcp', 'memory'])
    .default(standard);
