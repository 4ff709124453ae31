/** Quantities as people write them: `93 Mbit/s`, `2 ms`, `512 MiB`. */

const BANDWIDTH: Record<string, number> = {
  'bit/s': 1 / 8,
  'kbit/s': 1e3 / 8,
  'Mbit/s': 1e6 / 8,
  'Gbit/s': 1e9 / 8,
  'B/s': 1,
  'kB/s': 1e3,
  'MB/s': 1e6,
  'GB/s': 1e9,
  'KiB/s': 2 ** 10,
  'MiB/s': 2 ** 20,
  'GiB/s': 2 ** 30,
};
const TIME: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1 };
const SIZE: Record<string, number> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

function quantity(text: string, units: Record<string, number>): number | string {
  const match = /^\s*([+-]?[\d.]+(?:e[+-]?\d+)?)\s*([^\s\d].*?)?\s*$/i.exec(text);
  const known = Object.keys(units).join(', ');
  if (!match || Number.isNaN(Number(match[1]))) return `"${text}" is no quantity; write a number and one of ${known}`;
  if (!match[2]) return `"${text}" has no unit; write one of ${known}`;
  if (!Object.hasOwn(units, match[2])) return `"${match[2]}" is no known unit; write one of ${known}`;
  return Number(match[1]) * units[match[2]]!;
}

/** Bytes per second, or what is wrong. */
export const parseBandwidth = (text: string): number | string => quantity(text, BANDWIDTH);
/** Seconds, or what is wrong. */
export const parseTime = (text: string): number | string => quantity(text, TIME);
/** Bytes, or what is wrong. */
export const parseSize = (text: string): number | string => quantity(text, SIZE);

/** `12.3 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${power === 0 ? value : value.toFixed(value < 10 ? 2 : 1)} ${units[power]}`;
}
