/**
 * Traces as Chrome's and Perfetto's trace viewers read them: a process for each device with the threads compute, send and receive,
 * an arrow for each transfer. https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 */
import type { DeviceTrace, TraceEvent } from './trace.ts';

export interface ChromeEvent {
  readonly name: string;
  readonly ph: 'X' | 'M' | 's' | 'f' | 'b' | 'e';
  readonly pid: number;
  readonly tid: number;
  /** µs. */
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly bp?: 'e';
  readonly args?: Readonly<Record<string, string | number | null>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly ChromeEvent[];
}

/** The thread of what takes the event loop's time; a wait does not. */
const THREADS = { segment: 1, send: 2, arrival: 3 } as const;
const NAMES = ['compute', 'send', 'receive'];

/** @param zero ms since the epoch of time 0; files of one run that are put together need the same */
export function chromeTrace(traces: readonly DeviceTrace[], zero: number): ChromeTrace {
  return { displayTimeUnit: 'ms', traceEvents: traces.flatMap((trace) => [...rows(trace), ...events(trace, zero)]) };
}

/** The earliest time of all. */
export const beginOf = (traces: readonly DeviceTrace[]): number =>
  traces.reduce((first, { events: [event] }) => Math.min(first, event?.start ?? first), Infinity);

function rows({ device, devices, left, clockError }: DeviceTrace): ChromeEvent[] {
  const pid = devices.indexOf(device) + 1;
  const threads = NAMES.map(
    (name, i): ChromeEvent => ({ name: 'thread_name', ph: 'M', pid, tid: i + 1, args: { name } }),
  );
  return [
    { name: 'process_name', ph: 'M', pid, tid: 0, args: { name: device } },
    { name: 'process_labels', ph: 'M', pid, tid: 0, args: { labels: labels(left, clockError) } },
    ...threads,
  ];
}

const labels = (left: number, clockError: number | null): string =>
  [
    clockError === null ? 'clock not compared' : `clock within ${clockError.toFixed(3)} ms`,
    ...(left > 0 ? [`${left} later events left out`] : []),
  ].join(', ');

function events({ device, devices, channels, events: all }: DeviceTrace, zero: number): ChromeEvent[] {
  const pid = devices.indexOf(device) + 1;
  const byId = new Map(channels.map((channel) => [channel.id, channel]));
  return all.flatMap((event): ChromeEvent[] => {
    const { kind, inference, id } = event;
    const channel = byId.get(id);
    const [ts, end] = [(event.start - zero) * 1e3, (event.end - zero) * 1e3];
    const link = `${inference}/${id}`;
    const args = {
      inference,
      ...(kind === 'segment' ? { segment: id } : { channel: id, tensor: channel?.name ?? null }),
    };
    const name = nameOf(event, channel?.from, channel?.to);
    if (kind === 'wait') {
      const common = { name, cat: 'wait', pid, tid: 0, id: link } as const;
      return [
        { ...common, ph: 'b', ts, args },
        { ...common, ph: 'e', ts: end },
      ];
    }
    const tid = THREADS[kind];
    const slice = { name, cat: kind, ph: 'X', pid, tid, ts, dur: end - ts, args } as const;
    if (kind === 'segment') return [slice];
    const flow = { name: 'transfer', cat: 'transfer', pid, tid, ts, id: link } as const;
    return [slice, kind === 'send' ? { ...flow, ph: 's' } : { ...flow, ph: 'f', bp: 'e' }];
  });
}

function nameOf({ kind, id }: TraceEvent, from = '?', to = '?'): string {
  switch (kind) {
    case 'segment':
      return `segment ${id}`;
    case 'send':
      return `to ${to} on ${id}`;
    case 'arrival':
      return `from ${from} on ${id}`;
    case 'wait':
      return `waits for ${from} on ${id}`;
    default:
      return kind satisfies never;
  }
}
