/** Random workloads that come to an end, and one inference of them step by step. */
import fc from 'fast-check';
import type { WorkChannel, Workload, WorkStep } from '../../../compiler/planning/simulation/workload.ts';

/** Many, so that hardly anything happens at the same moment: who is first then is decided by chance. */
const seconds = fc.integer({ min: 1, max: 1_000_000 });

/** Devices a, b, … in a random order of segments and transfers. */
export const arbitraryWorkload: fc.Arbitrary<Workload> = fc
  .record({
    devices: fc.integer({ min: 1, max: 3 }),
    isHalf: fc.boolean(),
    message: fc.constantFrom(0, 1000),
    events: fc.array(fc.record({ at: fc.nat(2), to: fc.nat(2), seconds, latency: fc.nat(1000), late: fc.nat(2) }), {
      maxLength: 20,
    }),
  })
  .map(({ devices, isHalf, message, events }) => {
    const names = ['a', 'b', 'c'].slice(0, devices);
    const steps = names.map((): WorkStep[] => []);
    const channels: WorkChannel[] = [];
    /** Receives that come some events after their sends. */
    const due: { at: number; device: number; step: WorkStep }[] = [];
    const receive = (now: number) => {
      for (const { device, step } of due.filter(({ at }) => at === now)) steps[device]!.push(step);
    };
    for (const [i, { at, to, seconds, latency, late }] of events.entries()) {
      receive(i);
      const [sender, receiver] = [at % devices, to % devices];
      if (sender === receiver) {
        steps[sender]!.push({ kind: 'segment', id: i, name: `s${i}`, seconds });
        continue;
      }
      const [from, other] = [names[sender]!, names[receiver]!];
      const link = isHalf ? [from, other].sort().join(' ') : `${from} ${other}`;
      steps[sender]!.push({ kind: 'send', id: i, name: `x${i}`, seconds: message });
      due.push({
        at: i + 1 + late,
        device: receiver,
        step: { kind: 'receive', id: i, name: `x${i}`, seconds: message },
      });
      channels.push({ id: i, from, to: other, bytes: 8 * seconds, link, seconds, latency, lead: 0, joules: 0 });
    }
    for (let i = 0; i < 3; i++) receive(events.length + i);
    return { devices: names.map((device, i) => ({ device, power: null, steps: steps[i]! })), channels };
  });

/** When each step of each device ends, alone: who comes first takes the link first, of those at the same time the first device. */
export function endsOf({ devices, channels }: Workload): number[][] {
  const ends = devices.map((): number[] => []);
  const arrived = new Map<number, number>();
  const free = new Map<string, number>();
  const now = (device: number) => ends[device]!.at(-1) ?? 0;
  for (;;) {
    const able = devices.flatMap(({ steps }, i) => {
      const step = steps[ends[i]!.length];
      return step && (step.kind !== 'receive' || arrived.has(step.id)) ? [{ i, step }] : [];
    });
    // Sends count from when they are over.
    const at = ({ i, step }: (typeof able)[number]) => now(i) + (step.kind === 'send' ? step.seconds : 0);
    const next = able.reduce((a, b) => (at(b) < at(a) ? b : a), able[0]!);
    if (!next) return ends;
    const { i, step } = next;
    const begin = step.kind === 'receive' ? Math.max(now(i), arrived.get(step.id)!) : now(i);
    const end = begin + step.seconds;
    ends[i]!.push(end);
    const channel = step.kind === 'send' && channels.find(({ id }) => id === step.id);
    if (!channel) continue;
    const left = Math.max(end, free.get(channel.link) ?? 0) + channel.seconds;
    free.set(channel.link, left);
    arrived.set(channel.id, left + channel.latency);
  }
}
