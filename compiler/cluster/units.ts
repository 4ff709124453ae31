/** Quantities as people write them: `93 Mbit/s`, `2 ms`, `512 MiB`. */

/** Known units by what they measure, each in bytes, seconds, watts and joules. */
const UNITS = {
  bandwidth: {
    'bit/s': 1 / 8,
    'kbit/s': 1e3 / 8,
    'Mbit/s': 1e6 / 8,
    'Gbit/s': 1e9 / 8,
    'Tbit/s': 1e12 / 8,
    'B/s': 1,
    'kB/s': 1e3,
    'MB/s': 1e6,
    'GB/s': 1e9,
    'TB/s': 1e12,
    'KiB/s': 2 ** 10,
    'MiB/s': 2 ** 20,
    'GiB/s': 2 ** 30,
  },
  time: { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1 },
  size: {
    B: 1,
    kB: 1e3,
    MB: 1e6,
    GB: 1e9,
    TB: 1e12,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    TiB: 2 ** 40,
  },
  power: { uW: 1e-6, µW: 1e-6, mW: 1e-3, W: 1, kW: 1e3 },
  'energy per byte': {
    'J/B': 1,
    'mJ/B': 1e-3,
    'uJ/B': 1e-6,
    'µJ/B': 1e-6,
    'nJ/B': 1e-9,
    'pJ/B': 1e-12,
    'nJ/bit': 8e-9,
    'pJ/bit': 8e-12,
    'J/MB': 1e-6,
    'mJ/MB': 1e-9,
    'J/GB': 1e-9,
  },
} satisfies Record<string, Record<string, number>>;

export type Measure = keyof typeof UNITS;

const unitsOf = (measure: Measure): Record<string, number> => UNITS[measure];
const known = (measure: Measure): string => Object.keys(unitsOf(measure)).join(', ');

/** Bytes, seconds, watts, joules, or what is wrong. */
export function parseQuantity(text: string, measure: Measure): number | string {
  const match = /^\s*([+-]?[\d.]+(?:e[+-]?\d+)?)\s*([^\s\d].*?)?\s*$/i.exec(text);
  const units = unitsOf(measure);
  if (!match || Number.isNaN(Number(match[1]))) {
    return `"${text}" is no quantity; write a number and one of ${known(measure)}`;
  }
  if (!match[2]) return `"${text}" has no unit; write one of ${known(measure)}`;
  if (!Object.hasOwn(units, match[2])) return `"${match[2]}" is no known unit; write one of ${known(measure)}`;
  return Number(match[1]) * units[match[2]]!;
}

/** A regular expression for what {@link parseQuantity} reads, without what is below zero. */
export const quantityPattern = (measure: Measure): string =>
  `^\\s*\\+?[\\d.]+([eE][+-]?\\d+)?\\s*(${Object.keys(unitsOf(measure)).join('|')})\\s*$`;

/** Bytes per second, or what is wrong. */
export const parseBandwidth = (text: string): number | string => parseQuantity(text, 'bandwidth');
/** Seconds, or what is wrong. */
export const parseTime = (text: string): number | string => parseQuantity(text, 'time');
/** Bytes, or what is wrong. */
export const parseSize = (text: string): number | string => parseQuantity(text, 'size');

/** `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`;
}

/** `12.5 ms`. */
export const formatMilliseconds = (seconds: number): string => `${Number((seconds * 1e3).toPrecision(3))} ms`;

/** `93 Mbit/s`. @param bandwidth bytes per second */
export function formatBandwidth(bandwidth: number): string {
  const bits = 8 * bandwidth;
  const [unit, size] = bits >= 1e9 ? ['Gbit/s', 1e9] : bits >= 1e6 ? ['Mbit/s', 1e6] : ['kbit/s', 1e3];
  return `${Number((bits / size).toPrecision(3))} ${unit}`;
}
