/** Schedules of several plans side by side: each with channels and segments of its own numbers. */
import type { Schedule, Step } from '../compiler/planning/schedule.ts';

/** What is taken by the plans before. */
export interface Taken {
  readonly channels: number;
  /** Segments, by device. */
  readonly segments: ReadonlyMap<string, number>;
}

export const NONE: Taken = { channels: 0, segments: new Map() };

const segmentsOf = (steps: readonly Step[]): number => steps.filter(({ kind }) => kind === 'segment').length;

/** The same schedule, its channels and segments numbered from what is taken on. */
export function renumbered(schedule: Schedule, taken: Taken): Schedule {
  const first = (device: string): number => taken.segments.get(device) ?? 0;
  const step = (device: string, one: Step): Step =>
    one.kind === 'segment'
      ? { ...one, index: one.index + first(device) }
      : { ...one, channel: one.channel + taken.channels };
  return {
    ...schedule,
    devices: schedule.devices.map((own) => ({ ...own, steps: own.steps.map((one) => step(own.device, one)) })),
    channels: schedule.channels.map((channel) => ({
      ...channel,
      id: channel.id + taken.channels,
      hiddenBy: channel.hiddenBy.map((index) => index + first(channel.to)),
    })),
  };
}

/** With a schedule, as {@link renumbered} gives it, also taken. */
export const takenWith = (before: Taken, { channels, devices }: Schedule): Taken => ({
  channels: Math.max(before.channels, ...channels.map(({ id }) => id + 1)),
  segments: new Map(
    devices.map(({ device, steps }) => [device, (before.segments.get(device) ?? 0) + segmentsOf(steps)]),
  ),
});
