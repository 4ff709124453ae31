/** `shardonnx plan --bandwidth`: plans for a range of bandwidths. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BandwidthTable, bandwidthTable } from '../bandwidths.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { formatBandwidth, parseBandwidth } from '../cluster/units.ts';
import { CompileError } from '../error.ts';
import type { Program } from '../ir/program.ts';
import { formatPlan } from '../planning/plan.ts';
import type { Request } from '../planning/request.ts';
import { table } from './table.ts';

const STEPS = 12;
const MOST_STEPS = 200;
/** Bytes per second; what is outside is a typing error. */
const [LEAST, MOST] = [1 / 8, 1e13];

/** `1..240Mbit/s`, `1..240Mbit/s/24` or `500kbit/s..1Gbit/s`: bytes per second, equally spaced by their logarithm. @throws flag */
export function bandwidthRange(text: string): number[] {
  const wrong = (why: string) =>
    new CompileError('flag', `--bandwidth ${text}: ${why}`, {
      hint: 'write FROM..TO with a unit, e.g. 1..240Mbit/s; 1..240Mbit/s/24 looks at 24 bandwidths',
    });
  const match = /^\s*(.+?)\s*\.\.\s*(.+?)(?:\/(\d+))?\s*$/.exec(text);
  if (!match) throw wrong('no range');
  const [, low, high, steps] = match;
  const unit = /[a-z]+\/s.*$/i.exec(high!)?.[0] ?? '';
  const [from, to] = [/[a-z]\/s/i.test(low!) ? low! : `${low} ${unit}`, high!].map((one) => {
    const value = parseBandwidth(one);
    if (typeof value === 'string') throw wrong(value);
    return value;
  });
  const count = Number(steps ?? STEPS);
  if (!(from! > 0 && to! > from!)) throw wrong('it must ascend from above zero');
  if (from! < LEAST || to! > MOST) throw wrong(`the least is 1 bit/s, the most 10 TB/s`);
  if (count < 2 || count > MOST_STEPS) throw wrong(`2 to ${MOST_STEPS} bandwidths can be looked at`);
  return Array.from({ length: count }, (_, i) => from! * (to! / from!) ** (i / (count - 1)));
}

const digits = (value: number): string => String(Number(value.toPrecision(3)));
const UNITS = { latency: ['ms', 1e3], throughput: ['1/s', 1], energy: ['J', 1] } as const;

/** Values are to be small: throughput is told as its inverse. */
function shown(value: number, objective: NonNullable<Request['objective']>): string {
  const [unit, scale] = UNITS[objective];
  return `${digits(objective === 'throughput' ? 1 / value : value * scale)} ${unit}`;
}

const fileOf = (row: number): string => `plan-${row + 1}.json`;

function textOf({ rows, policies }: BandwidthTable, bandwidths: readonly number[], { objective = 'latency' }: Request) {
  const named = Object.keys(policies);
  const cells = rows.map(({ from, to, chosen, values }, i) => [
    `${i + 1}`,
    from === to ? formatBandwidth(from) : `${formatBandwidth(from)} – ${formatBandwidth(to)}`,
    chosen.policy,
    shown(values[0]!.value, objective),
    shown(values.at(-1)!.value, objective),
    `${digits(100 * Math.max(...values.map(({ value, best }) => value / best - 1)))} %`,
  ]);
  const every = bandwidths.map((bandwidth, i) => [
    formatBandwidth(bandwidth),
    ...named.map((name) => (Number.isNaN(policies[name]![i]) ? '-' : shown(policies[name]![i]!, objective))),
  ]);
  return [
    table(['bandwidth', ...named], every),
    '',
    table(['plan', 'bandwidths', 'policy', 'at the first', 'at the last', 'worse than best by'], cells),
  ].join('\n');
}

export interface RangeOptions {
  readonly names: readonly string[];
  readonly bandwidths: readonly number[];
  readonly request: Request;
  /** Folder that receives a plan file a row. */
  readonly output?: string | undefined;
  readonly progress: (what: string, done: number, total: number) => void;
}

export async function planRange(program: Program<'imported'>, cluster: Cluster, options: RangeOptions) {
  const { names, bandwidths, request, output, progress } = options;
  const found = await bandwidthTable(program, cluster, names, bandwidths, { ...request, progress });
  if (output !== undefined) {
    await mkdir(output, { recursive: true });
    for (const [i, { chosen }] of found.rows.entries())
      await writeFile(join(output, fileOf(i)), formatPlan(chosen.plan));
  }
  const rows = found.rows.map(({ from, to, chosen, values }, i) => ({
    fromBitPerSecond: from * 8,
    toBitPerSecond: to * 8,
    policy: chosen.policy,
    ...(output === undefined ? {} : { plan: join(output, fileOf(i)) }),
    values: values.map(({ bandwidth, value, best }) => ({ bitPerSecond: bandwidth * 8, value, best })),
  }));
  const data = { ok: true, objective: request.objective ?? 'latency', rows, policies: found.policies };
  return { data, text: textOf(found, bandwidths, request) };
}
