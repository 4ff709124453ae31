/** What a traced run did beside what was predicted: steps, transfers, what of these was hidden, how busy devices were. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type DeviceTrace, quantile, type TraceEvent } from '../../runtime/index.ts';
import { CompileError } from '../error.ts';
import { table } from './table.ts';

/** Seconds. */
const interval = { start: z.number(), end: z.number() };
const step = z.object({ kind: z.enum(['segment', 'send', 'receive']), segment: z.number().optional(), ...interval });
const timeline = z.object({
  devices: z.array(z.object({ device: z.string(), steps: z.array(step) })),
  channels: z.array(z.object({ id: z.number(), hidden: z.number(), ...interval })),
});
type Timeline = z.infer<typeof timeline>;

export interface StepReport {
  readonly device: string;
  readonly segment: number;
  readonly runs: number;
  readonly predictedMs: number;
  /** Median. */
  readonly measuredMs: number;
}

export interface TransferReport {
  readonly channel: number;
  readonly from: string;
  readonly to: string;
  readonly runs: number;
  /** From handed over to taken in, median. */
  readonly measuredMs: number;
  readonly predictedMs: number;
  /** Share of all these times in which the receiver computed, 0 to 1; as predicted, and as measured. */
  readonly predictedHidden: number;
  readonly hidden: number;
}

export interface TraceReport {
  readonly steps: readonly StepReport[];
  readonly transfers: readonly TransferReport[];
  /** Of all transfers' time, 0 to 1; 1 where nothing is transferred. */
  readonly hidden: number;
  readonly predictedHidden: number;
  /** Share of the time between the first event of all and the last in which a device computed, 0 to 1. */
  readonly utilisation: Readonly<Record<string, number>>;
  /** Events that did not fit into the trace. */
  readonly left: number;
}

/** @throws timeline where the build's timeline.json is not as it was written */
export async function readTimeline(build: string): Promise<Timeline> {
  const file = join(build, 'timeline.json');
  const text = await readFile(file, 'utf8');
  try {
    return timeline.parse(JSON.parse(text));
  } catch (cause) {
    const hint = 'compile the model again';
    throw new CompileError('timeline', 'timeline.json is not as compile writes it', { at: [file], hint, cause });
  }
}

export function reportOf(traces: readonly DeviceTrace[], predicted: Timeline): TraceReport {
  const busy = new Map(traces.map(({ device, events }) => [device, new Busy(events)]));
  const { begin, end } = spanOf(traces);
  const transfers = transfersOf(traces, busy);
  const channels = [...grouped(transfers)].sort(([a], [b]) => a - b);
  return {
    steps: traces.flatMap((trace) => stepsOf(trace, predicted)),
    transfers: channels.map(([, all]) => transferOf(all, predicted)),
    hidden: share(transfers),
    predictedHidden: share(
      predicted.channels.map(({ start, end: last, hidden }) => ({ ms: last - start, hidden: (last - start) * hidden })),
    ),
    utilisation: Object.fromEntries([...busy].map(([device, one]) => [device, one.before(end) / (end - begin)])),
    left: traces.reduce((sum, { left }) => sum + left, 0),
  };
}

/** How long a device had computed, at any time. Its segments do not overlap. */
class Busy {
  readonly #segments: readonly TraceEvent[];
  /** ms before each. */
  readonly #sums: number[] = [];

  constructor(events: readonly TraceEvent[]) {
    this.#segments = events.filter(({ kind }) => kind === 'segment');
    let sum = 0;
    for (const { start, end } of this.#segments) {
      this.#sums.push(sum);
      sum += end - start;
    }
  }

  /** ms before `time`. */
  before(time: number): number {
    let [low, high] = [0, this.#segments.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#segments[middle]!.start < time) low = middle + 1;
      else high = middle;
    }
    const last = this.#segments[low - 1];
    return last ? this.#sums[low - 1]! + Math.min(time, last.end) - last.start : 0;
  }
}

interface Transfer {
  readonly id: number;
  readonly from: string;
  readonly to: string;
  readonly ms: number;
  /** ms in which the receiver computed. */
  readonly hidden: number;
}

/** Those of which both ends were recorded. */
function transfersOf(traces: readonly DeviceTrace[], busy: ReadonlyMap<string, Busy>): Transfer[] {
  const key = ({ inference, id }: TraceEvent) => `${inference}/${id}`;
  const sent = new Map<string, { from: string; start: number }>();
  for (const { device, events } of traces) {
    for (const event of events) if (event.kind === 'send') sent.set(key(event), { from: device, start: event.start });
  }
  return traces.flatMap(({ device: to, events }) =>
    events.flatMap((event) => {
      const send = event.kind === 'arrival' ? sent.get(key(event)) : undefined;
      if (!send) return [];
      const own = busy.get(to)!;
      // Clocks may be off by more than a short transfer takes.
      const ms = Math.max(0, event.end - send.start);
      const hidden = ms > 0 ? own.before(event.end) - own.before(send.start) : 0;
      return [{ id: event.id, from: send.from, to, ms, hidden }];
    }),
  );
}

function transferOf(all: readonly Transfer[], { channels }: Timeline): TransferReport {
  const { id, from, to } = all[0]!;
  const predicted = channels.find((channel) => channel.id === id);
  return {
    channel: id,
    from,
    to,
    runs: all.length,
    predictedMs: predicted ? 1e3 * (predicted.end - predicted.start) : 0,
    measuredMs: median(all.map(({ ms }) => ms)),
    predictedHidden: predicted?.hidden ?? 0,
    hidden: share(all),
  };
}

function stepsOf({ device, events }: DeviceTrace, { devices }: Timeline): StepReport[] {
  const runs = grouped(events.filter(({ kind }) => kind === 'segment'));
  const steps = devices.find((one) => one.device === device)?.steps ?? [];
  return steps.flatMap(({ segment, start, end }) => {
    const ran = segment === undefined ? undefined : runs.get(segment);
    if (segment === undefined || !ran) return [];
    const measuredMs = median(ran.map((run) => run.end - run.start));
    return [{ device, segment, runs: ran.length, predictedMs: 1e3 * (end - start), measuredMs }];
  });
}

function grouped<T extends { readonly id: number }>(all: readonly T[]): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const one of all) {
    const group = groups.get(one.id);
    if (group) group.push(one);
    else groups.set(one.id, [one]);
  }
  return groups;
}

function spanOf(traces: readonly DeviceTrace[]): { begin: number; end: number } {
  let [begin, end] = [Infinity, -Infinity];
  for (const event of traces.flatMap(({ events }) => events)) {
    begin = Math.min(begin, event.start);
    end = Math.max(end, event.end);
  }
  return { begin, end };
}

const median = (values: readonly number[]): number => quantile(values, 0.5) ?? 0;

function share(all: readonly { readonly ms: number; readonly hidden: number }[]): number {
  const total = all.reduce((sum, { ms }) => sum + ms, 0);
  return total > 0 ? all.reduce((sum, { hidden }) => sum + hidden, 0) / total : 1;
}

const percent = (part: number): string => `${Math.round(100 * part)} %`;

export function formatReport({ steps, transfers, hidden, predictedHidden, utilisation, left }: TraceReport): string {
  const rows = steps.map(({ device, segment, predictedMs, measuredMs }) => [
    `${device} segment ${segment}`,
    `${predictedMs.toFixed(3)} ms`,
    `${measuredMs.toFixed(3)} ms`,
    '',
    '',
  ]);
  const moves = transfers.map((one) => [
    `${one.from} → ${one.to} on ${one.channel}`,
    `${one.predictedMs.toFixed(3)} ms`,
    `${one.measuredMs.toFixed(3)} ms`,
    percent(one.predictedHidden),
    percent(one.hidden),
  ]);
  const busy = Object.entries(utilisation).map(([device, part]) => `${device} ${percent(part)}`);
  return [
    table(['step', 'predicted', 'measured', 'to be hidden', 'hidden'], [...rows, ...moves]),
    ...(transfers.length > 0
      ? [`communication hidden: ${percent(hidden)}, predicted ${percent(predictedHidden)}`]
      : []),
    `computing: ${busy.join(', ')} of the time`,
    ...(left > 0 ? [`${left} later events are not in the trace`] : []),
  ].join('\n');
}
