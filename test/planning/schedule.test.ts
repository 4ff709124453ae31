/** Schedules: they come to an end, sends leave before waits, predicted times hang together, memory is within limits. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cluster } from '../../compiler/cluster/cluster.ts';
import { occupiedSeconds } from '../../compiler/cluster/transfer.ts';
import { reads, valueKey, writes } from '../../compiler/ir/program.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import type { DeviceSchedule, Schedule, Step } from '../../compiler/planning/schedule.ts';
import { busiestOf } from '../../compiler/planning/simulation/workload.ts';
import { models } from '../../fixtures/models.ts';
import { unary } from '../../fixtures/zoo/layers.ts';
import { errorOf } from '../support/error.ts';
import { clusterOf, imported, lowered, type ModelName, planOf } from '../support/imported.ts';
import { randomPlan } from '../support/random-plan.ts';
import { replay } from '../support/replay.ts';
import { built } from './layout/subjects.ts';

const test = suite('schedule');
const cluster = clusterOf({ a: 1, b: 2, c: 1.5 }, 'c');

/** Schedules of three random plans and of the policy `spatial`. */
async function schedulesOf(name: ModelName): Promise<Schedule[]> {
  const program = await imported(name);
  const plans = [11, 12, 13].map((seed) => randomPlan(program, ['a', 'b', 'c'], seed));
  return [...plans, await makePlan(program, cluster, 'spatial')].map(
    (plan) => lowered(program, { cluster, plan }).schedule,
  );
}

const readBy = (step: Step) =>
  step.kind === 'segment' ? step.operators.flatMap(reads) : step.kind === 'send' ? [step.value] : [];
const madeBy = (step: Step) =>
  step.kind === 'segment' ? step.operators.flatMap(writes) : step.kind === 'receive' ? [step.value] : [];

/** For each step, the receives it cannot run without. */
function receivesBehind(steps: readonly Step[]): Set<Step>[] {
  const makers = new Map<string, number>();
  const behind: Set<Step>[] = [];
  for (const [i, step] of steps.entries()) {
    const before = readBy(step).flatMap((value) => makers.get(valueKey(value)) ?? []);
    const own = before.filter((at) => at !== i).flatMap((at) => [...behind[at]!]);
    behind.push(new Set(step.kind === 'receive' ? [...own, step] : own));
    for (const value of madeBy(step)) makers.set(valueKey(value), i);
  }
  return behind;
}

/** A send that could have left before the last wait is a delay for who waits for it. */
function sendsBeforeWaits({ device, steps }: DeviceSchedule): number {
  const behind = receivesBehind(steps);
  let waited = 0;
  for (const [i, step] of steps.entries()) {
    if (step.kind !== 'send') continue;
    const last = steps.slice(0, i).findLastIndex(({ kind }) => kind === 'receive');
    if (last < 0) continue;
    const first = steps.slice(0, last).findLastIndex(({ kind }) => kind !== 'receive') + 1;
    const waits = steps.slice(first, last + 1);
    assert.ok(
      waits.some((wait) => behind[i]!.has(wait)),
      `${device} sends on ${step.channel} after a wait it needs not`,
    );
    waited++;
  }
  return waited;
}

/** Times of steps follow each other, transfers take what the link takes, links carry one after the other. */
function timesHangTogether({ devices, channels, makespan, program }: Schedule, { links }: Cluster): void {
  for (const { steps, times } of devices) {
    assert.is(times.length, steps.length);
    for (const [i, { start, end }] of times.entries()) assert.ok(end >= start && start >= (times[i - 1]?.end ?? 0));
  }
  assert.is(makespan, Math.max(...devices.map(({ times }) => times.at(-1)?.end ?? 0)));
  const intervalOf = (device: string, kind: Step['kind'], channel: number) => {
    const { steps, times } = devices.find((one) => one.device === device)!;
    return times[steps.findIndex((step) => step.kind === kind && step.kind !== 'segment' && step.channel === channel)]!;
  };
  for (const { id, from, to, bytes, transfer, hidden, hiddenBy } of channels) {
    const link = links.find(({ between }) => between.includes(from) && between.includes(to))!;
    assert.is(transfer.start, intervalOf(from, 'send', id).end);
    assert.ok(transfer.end - transfer.start >= bytes / link.bandwidth + link.latency - 1e-12);
    assert.ok(intervalOf(to, 'receive', id).end >= transfer.end);
    assert.ok(hidden >= 0 && hidden <= 1);
    const receiver = devices.find((one) => one.device === to)!;
    for (const index of hiddenBy) {
      const at = receiver.steps.findIndex((step) => step.kind === 'segment' && step.index === index);
      assert.ok(receiver.times[at]!.start < transfer.end && receiver.times[at]!.end > transfer.start);
    }
    const waited = intervalOf(to, 'receive', id);
    if (hidden === 1)
      assert.ok(waited.end - Math.max(waited.start, transfer.start) < 1e-12, 'nobody waits for what is hidden');
  }
  assert.is(channels.length, program.operators.filter(({ kind }) => kind === 'send').length);
}

for (const name of Object.keys(models) as ModelName[]) {
  test(`${name}: every device comes to its end, sends leave before waits, times hang together`, async () => {
    let sends = 0;
    for (const schedule of await schedulesOf(name)) {
      replay(schedule);
      for (const device of schedule.devices) sends += sendsBeforeWaits(device);
      timesHangTogether(schedule, cluster);
    }
    assert.ok(sends > 0, 'some send comes after a wait');
  });
}

const sessionsOf = ({ devices }: Schedule): number[] =>
  devices.map(({ steps }) => steps.filter(({ kind }) => kind === 'segment').length);

test('ordered for throughput: never less of it, in fewer sessions, and every device comes to its end', async () => {
  let fewer = 0;
  for (const name of Object.keys(models) as ModelName[]) {
    const program = await imported(name);
    for (const seed of [11, 12, 13]) {
      const plan = randomPlan(program, ['a', 'b', 'c'], seed);
      const latency = lowered(program, { cluster, plan }).schedule;
      const { schedule } = lowered(program, { cluster, plan: { ...plan, objective: 'throughput' } });
      replay(schedule);
      timesHangTogether(schedule, cluster);
      assert.ok(busiestOf(schedule.workload).seconds <= busiestOf(latency.workload).seconds * (1 + 1e-12), name);
      const [few, many] = [schedule, latency].map((one) => sessionsOf(one).reduce((a, b) => a + b));
      if (few! < many!) fewer++;
    }
  }
  assert.ok(fewer > 0, 'some plan needs fewer sessions');
});

test('ordered for throughput, a stage of whole operators is one session', async () => {
  let stages = 0;
  for (const name of Object.keys(models) as ModelName[]) {
    const program = await imported(name);
    const { operators } = await makePlan(program, cluster, 'whole:a');
    const planned = program.operators.flatMap(({ origin }) => (origin in operators ? [origin] : []));
    // b has what comes first, then c, then a.
    const stage = (i: number) => ['b', 'c', 'a'][Math.floor((3 * i) / planned.length)]!;
    const plan = planOf(program, Object.fromEntries(planned.map((origin, i) => [origin, stage(i)])), 'a');
    const { schedule } = lowered(program, { cluster, plan: { ...plan, objective: 'throughput' } });
    assert.ok(Math.max(...sessionsOf(schedule)) <= 1, `${name}: ${sessionsOf(schedule)}`);
    stages += sessionsOf(schedule).filter((count) => count > 0).length;
  }
  assert.ok(stages > 2 * Object.keys(models).length, 'most models have three stages');
});

test('links carry one transfer after the other, both directions at once', async () => {
  for (const { channels } of await schedulesOf('unet')) {
    for (const direction of new Set(channels.map(({ from, to }) => `${from} ${to}`))) {
      const own = channels.filter(({ from, to }) => `${from} ${to}` === direction);
      const link = cluster.links.find(({ between }) => between.every((name) => direction.split(' ').includes(name)))!;
      const busy = own.reduce((sum, { bytes }) => sum + bytes / link.bandwidth, 0);
      const span =
        Math.max(...own.map(({ transfer }) => transfer.end)) - Math.min(...own.map(({ transfer }) => transfer.start));
      assert.ok(span >= busy, direction);
    }
  }
});

test('where both directions take turns, a link carries one transfer at a time, in the order in which they are handed over', async () => {
  const shared: Cluster = {
    ...cluster,
    links: cluster.links.map((link) => ({ ...link, duplex: 'half', overhead: 1e-5 })),
  };
  const program = await imported('unet');
  let turns = 0;
  for (const seed of [11, 12, 13]) {
    const plan = randomPlan(program, ['a', 'b', 'c'], seed);
    const { channels, makespan } = lowered(program, { cluster: shared, plan }).schedule;
    assert.ok(makespan > lowered(program, { cluster, plan }).schedule.makespan);
    for (const link of shared.links) {
      const own = channels
        .filter(({ from, to }) => link.between.includes(from) && link.between.includes(to))
        .sort((x, y) => x.transfer.end - y.transfer.end);
      for (const [i, { from, bytes, transfer }] of own.entries()) {
        const before = own[i - 1];
        const begun = transfer.end - link.latency - occupiedSeconds(link, bytes);
        const free = before ? before.transfer.end - link.latency : 0;
        assert.ok(Math.abs(begun - Math.max(free, transfer.start)) < 1e-9, `${i} begins when the link is free`);
        assert.ok(!before || before.transfer.start <= transfer.start, `${i} was handed over after the one before`);
        if (before && before.from !== from && free > transfer.start) turns++;
      }
    }
  }
  assert.ok(turns > 0, 'some transfer waits for one of the other direction');
});

test('a link at rest takes a burst at once; what it was ahead comes off the messages that follow', async () => {
  const [burst, rest] = [3000, 1e-9];
  const sudden: Cluster = { ...cluster, links: cluster.links.map((link) => ({ ...link, burst, latency: 0 })) };
  const program = await imported('unet');
  let [atOnce, partly] = [0, 0];
  for (const seed of [11, 12, 13]) {
    const { channels } = lowered(program, {
      cluster: sudden,
      plan: randomPlan(program, ['a', 'b', 'c'], seed),
    }).schedule;
    for (const direction of new Set(channels.map(({ from, to }) => `${from} ${to}`))) {
      const own = channels.filter(({ from, to }) => `${from} ${to}` === direction);
      const { bandwidth } = sudden.links.find(({ between }) =>
        between.every((name) => direction.split(' ').includes(name)),
      )!;
      // A bucket that is full at first, and that fills again as time goes by.
      let [left, at] = [burst, 0];
      for (const { bytes, transfer } of own.sort((a, b) => a.transfer.end - b.transfer.end || a.id - b.id)) {
        left = Math.min(burst, left + (transfer.start - at) * bandwidth) - bytes;
        at = transfer.start;
        const end = transfer.start + Math.max(0, -left) / bandwidth;
        assert.ok(Math.abs(transfer.end - end) < rest, `${direction}: ${transfer.end}, not ${end}`);
        if (left >= 0) atOnce++;
        else partly++;
      }
    }
  }
  assert.ok(atOnce > 0 && partly > 0, `${atOnce} at once, ${partly} not`);
});

test('a device that lacks memory is named, with what it needs and what it has', async () => {
  const program = await imported('convChain');
  const plan = await makePlan(program, cluster, 'spatial');
  const { devices } = lowered(program, { cluster, plan }).schedule;
  const { peakBytes, weightBytes } = devices.find(({ device }) => device === 'b')!;
  const limited = (memory: number): Cluster => ({
    ...cluster,
    devices: cluster.devices.map((device) => (device.name === 'b' ? { ...device, memory } : device)),
  });
  assert.ok(peakBytes > weightBytes && weightBytes > 0);
  lowered(program, { cluster: limited(peakBytes), plan });
  const error = await errorOf('device-memory', () => lowered(program, { cluster: limited(peakBytes - 1), plan }));
  assert.match(error.message, /^b needs .* for weights and activations, .* allowed$/);
  assert.match(error.context.hint!, /give b more memory/);
});

test('memory by hand: a value is held from where it is made to where it is last read, an output to the end', async () => {
  const one = clusterOf({ a: 1 });
  const peak = async (early: boolean) => {
    const { program } = await built(`early-${early}`, (g) => {
      const first = unary(g, 'Relu', g.input('x', [1, 4, 8, 8]), 'first');
      if (early) g.output(first, 'early');
      g.output(unary(g, 'Tanh', unary(g, 'Sigmoid', first, 'second'), 'third'), 'late');
    });
    const plan = await makePlan(program, one, 'whole:a');
    return lowered(program, { cluster: one, plan }).schedule.devices[0]!.peakBytes / (4 * 4 * 8 * 8);
  };
  assert.is(await peak(false), 2, 'what is read and what is made');
  assert.is(await peak(true), 3, 'and the output that was made before');
});

test('a value that must cross where no link is', async () => {
  const program = await imported('mlp');
  const island = { ...cluster, links: cluster.links.filter(({ between }) => !between.includes('c')) };
  const plan = await makePlan(program, island, 'cut:fc2');
  const error = await errorOf('no-link', () => lowered(program, { cluster: island, plan }));
  assert.match(error.message, /y must go from b to c, and no link joins them/);
  assert.match(error.context.hint!, /add a link between b and c/);
});

test.run();
