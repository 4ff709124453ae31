/** A foreign table of measured layers: CSV with a layer, its latency and perhaps its energy a line, as accelerators' simulators write it. */
import { CompileError } from '../error.ts';

export interface Layer {
  /** Of the whole layer. */
  readonly seconds: number;
  readonly joules?: number;
}
/** By name of the ONNX node. */
export type LayerTable = ReadonlyMap<string, Layer>;

const SECONDS: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1 };
const JOULES: Record<string, number> = { nJ: 1e-9, uJ: 1e-6, µJ: 1e-6, mJ: 1e-3, J: 1 };
/** A day for one layer is no measurement, and a megajoule no energy of one. */
const LONGEST = 86_400;
const MOST = 1e6;

const HINT = 'the first line names the columns: Layer, Latency [ms] and perhaps Energy [mJ], parted by ; or ,';

const tableError = (message: string, where: string) =>
  new CompileError('layer-table', message, { at: [where], hint: HINT });

/** Columns that may be in quotes, "" for one of them. */
function fieldsOf(line: string, separator: string): string[] {
  const quoted = new RegExp(`\\s*("(?:[^"]|"")*"|[^${separator}]*)\\s*(${separator}|$)`, 'y');
  const fields: string[] = [];
  for (;;) {
    const [, text = '', end] = quoted.exec(line) ?? [];
    fields.push(text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text.trim());
    if (end !== separator) return fields;
  }
}

interface Column {
  readonly index: number;
  /** What one unit is worth in seconds or joules. */
  readonly factor: number;
}

/** `Latency [ms]`; null if there is no such column. */
function quantityColumn(
  head: readonly string[],
  name: string,
  units: Record<string, number>,
  where: string,
): Column | null {
  const index = head.findIndex((field) => field.toLowerCase().startsWith(name));
  if (index < 0) return null;
  const unit = /[[(]\s*([^\])]+?)\s*[\])]/.exec(head[index]!)?.[1];
  const known = Object.keys(units).join(', ');
  if (unit === undefined) throw tableError(`column "${head[index]}" has no unit; write one of ${known}`, where);
  if (!Object.hasOwn(units, unit)) throw tableError(`column "${head[index]}": "${unit}" is none of ${known}`, where);
  return { index, factor: units[unit]! };
}

/** In seconds or joules. */
function quantity(fields: readonly string[], { index, factor }: Column, largest: number, where: string): number {
  const text = fields[index] ?? '';
  const value = text === '' ? Number.NaN : Number(text) * factor;
  if (value >= 0 && value <= largest) return value;
  throw tableError(`"${text}" is no figure between 0 and ${largest / factor}`, where);
}

/** @throws layer-table naming the line */
export function parseLayerTable(text: string, where = 'table'): LayerTable {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const [first = '', ...rest] = lines;
  const separator = first.includes(';') ? ';' : ',';
  const head = fieldsOf(first, separator);
  const name = head.findIndex((field) => /^(layer|name|node)$/i.test(field));
  const latency = quantityColumn(head, 'latency', SECONDS, `${where}:1`);
  const energy = quantityColumn(head, 'energy', JOULES, `${where}:1`);
  if (name < 0 || !latency) throw tableError(`no column ${name < 0 ? 'Layer' : 'Latency [ms]'}`, `${where}:1`);
  const layers = new Map<string, Layer>();
  for (const [i, line] of rest.entries()) {
    if (line.trim() === '') continue;
    const at = `${where}:${i + 2}`;
    const fields = fieldsOf(line, separator);
    const layer = fields[name] ?? '';
    if (layer === '') throw tableError('a line without a layer', at);
    if (layers.has(layer)) throw tableError(`"${layer}" is there twice`, at);
    const seconds = quantity(fields, latency, LONGEST, at);
    layers.set(layer, energy ? { seconds, joules: quantity(fields, energy, MOST, at) } : { seconds });
  }
  if (layers.size === 0) throw tableError('no layers', where);
  return layers;
}
