/** What one inference asks of devices and links, in seconds and bytes: all that a simulation needs, and small enough to lie beside a build. */
import { z } from 'zod';
import { type Cluster, linkBetween } from '../../cluster/cluster.ts';
import { leadOf, occupiedSeconds, queueOf, transferJoules } from '../../cluster/transfer.ts';
import type { Program } from '../../ir/program.ts';
import { formatValue } from '../../ir/text.ts';
import { type Costs, stepSeconds } from '../costs/costs.ts';
import { valueBytes } from '../costs/roofline.ts';
import type { Step } from '../schedule.ts';

const amount = z.number().nonnegative();
const whole = z.int().nonnegative();

const step = z.object({
  kind: z.enum(['segment', 'send', 'receive']),
  /** Number of the segment, or id of the channel. */
  id: whole,
  /** For people: its operators, or what crosses. */
  name: z.string(),
  /** During which the device does nothing else. */
  seconds: amount,
});
const device = z.object({
  device: z.string(),
  /** Watts; null: unknown. */
  power: z.object({ idle: amount, compute: amount, send: amount, receive: amount }).nullable(),
  /** In the order the device does them. */
  steps: z.array(step),
});
const channel = z.object({
  id: whole,
  from: z.string(),
  to: z.string(),
  bytes: amount,
  /** Name of the queue it waits in: a direction of a link, or both where they take turns. */
  link: z.string(),
  /** During which the link carries nothing else, and from then until it has arrived. */
  seconds: amount,
  latency: amount,
  /** By which the link may be ahead of time after it carried nothing; the same for all in a queue. */
  lead: amount.default(0),
  /** Of the link itself. */
  joules: amount,
});
/** Of a file; other fields are left out. */
export const workloadFile = z.object({ devices: z.array(device), channels: z.array(channel) });

export type WorkStep = Readonly<z.infer<typeof step>>;
export type WorkChannel = Readonly<z.infer<typeof channel>>;
export interface WorkDevice extends Readonly<Omit<z.infer<typeof device>, 'steps'>> {
  readonly steps: readonly WorkStep[];
}
export interface Workload {
  readonly devices: readonly WorkDevice[];
  readonly channels: readonly WorkChannel[];
}

/** The device or link that one inference keeps for longest, and the seconds: with several in flight, results come no faster. */
export function busiestOf({ devices, channels }: Workload): { readonly name: string; readonly seconds: number } {
  const busy = new Map<string, number>();
  const add = (name: string, seconds: number) => busy.set(name, (busy.get(name) ?? 0) + seconds);
  for (const { device, steps } of devices) for (const { seconds } of steps) add(device, seconds);
  for (const { link, seconds } of channels) add(`link ${link}`, seconds);
  const [name, seconds] = [...busy].reduce((a, b) => (b[1] > a[1] ? b : a), ['', 0]);
  return { name, seconds };
}

/** The operators of a segment by the first and the last of the model's nodes. */
function segmentName(origins: readonly string[]): string {
  const [first = 'weights'] = origins;
  const last = origins.at(-1) ?? first;
  return first === last ? first : `${first} … ${last}`;
}

/** The workload of the steps of all devices, by name. */
export function workloadOf(
  program: Program<'linked'>,
  cluster: Cluster,
  steps: ReadonlyMap<string, readonly Step[]>,
  costs: Costs,
): Workload {
  const workStep = (one: Step, seconds: number): WorkStep => {
    if (one.kind === 'segment') {
      const name = segmentName(one.operators.map(({ origin }) => origin));
      return { kind: 'segment', id: one.index, name, seconds };
    }
    return { kind: one.kind, id: one.channel, name: formatValue(program, one.value), seconds };
  };
  const devices = [...steps].map(([name, own]): WorkDevice => {
    const power = cluster.devices.find((one) => one.name === name)?.power ?? null;
    const seconds = stepSeconds(costs, name, program, own);
    return { device: name, power, steps: own.map((one, i) => workStep(one, seconds[i]!)) };
  });
  const channels = program.operators.flatMap((operator): WorkChannel[] => {
    if (operator.kind !== 'receive') return [];
    const { channel: id, from, device: to } = operator;
    const link = linkBetween(cluster, from, to!)!;
    const bytes = valueBytes(program, operator.value);
    const seconds = occupiedSeconds(link, bytes);
    const joules = transferJoules(link, bytes);
    return [
      {
        id,
        from,
        to: to!,
        bytes,
        link: queueOf(link, from),
        seconds,
        latency: link.latency,
        lead: leadOf(link),
        joules,
      },
    ];
  });
  return { devices, channels };
}
