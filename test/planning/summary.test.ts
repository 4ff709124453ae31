/** What a schedule comes to: throughput, energy by state, what is hidden and what binds, worked out by hand. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Cluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { lower } from '../../compiler/lower.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import type { Schedule } from '../../compiler/planning/schedule.ts';
import { summarise } from '../../compiler/planning/summary.ts';
import { imported } from '../support/imported.ts';

const test = suite('summary');

const power = {
  robot: { idle: '2 W', compute: '5 W', send: '3 W', receive: '2.5 W' },
  server: { idle: '10 W', compute: '60 W' },
};
/** 1 MB/s each way; messages keep the link busy for 1 ms more. */
const clusterWith = (link: object = {}, powers: object = power): Cluster =>
  parseCluster({
    devices: Object.fromEntries(
      ['robot', 'server'].map((name) => [
        name,
        { speed: 0.01, ...(name in powers ? { power: Object(powers)[name] } : {}) },
      ]),
    ),
    links: [{ between: ['robot', 'server'], bandwidth: '8 Mbit/s', overhead: '1 ms', latency: '5 ms', ...link }],
  });

async function scheduled(cluster: Cluster, policy: string): Promise<Schedule> {
  const program = await imported('mlp');
  return lower(program, { cluster, plan: await makePlan(program, cluster, policy) }).schedule;
}

const near = (actual: number | null, expected: number, what: string) =>
  assert.ok(
    actual !== null && Math.abs(actual - expected) <= 1e-9 * Math.abs(expected),
    `${what}: ${actual}, ${expected} expected`,
  );

/** Seconds that a device's segments take. */
const computing = ({ devices }: Schedule, name: string): number =>
  devices
    .filter(({ device }) => device === name)
    .flatMap(({ steps, times }) => times.map(({ start, end }, i) => (steps[i]!.kind === 'segment' ? end - start : 0)))
    .reduce((sum, seconds) => sum + seconds, 0);

/** [4,128] goes there, [4,10] comes back. */
const [THERE, BACK] = [4 * 4 * 128, 4 * 4 * 10];
const [sending, returning] = [1e-3 + THERE / 1e6, 1e-3 + BACK / 1e6];

test('a cut: bytes, both links, energy of every state', async () => {
  const cluster = clusterWith({ energy: '5 nJ/B', power: '100 mW' });
  const schedule = await scheduled(cluster, 'cut:fc2');
  const { seconds, bytes, joules, throughput, busiest, hidden, peakBytes } = summarise(cluster, schedule);
  const [robot, server] = [computing(schedule, 'robot'), computing(schedule, 'server')];
  assert.is(bytes, THERE + BACK);
  near(seconds, robot + sending + 5e-3 + server + returning + 5e-3, 'one after the other');
  const devices = 12 * seconds + 3 * robot + 50 * server + (3 - 2) * sending + (2.5 - 2) * returning;
  // The link draws until the last byte has arrived.
  const link = 5e-9 * (THERE + BACK) + 0.1 * (sending + returning + 2 * 5e-3);
  near(joules, devices + link, 'joules');
  const most = Math.max(robot, server, sending, returning);
  near(throughput, 1 / most, 'throughput');
  near(busiest.share, most / seconds, 'busiest');
  assert.is(hidden, 0, 'nobody has anything else to do');
  assert.is(peakBytes, Math.max(...schedule.devices.map((device) => device.peakBytes)));
});

test('a slow link binds: a direction of it, or both together where they take turns', async () => {
  const bandwidth = '80 kbit/s';
  const [there, back] = [1e-3 + THERE / 1e4, 1e-3 + BACK / 1e4];
  const full = clusterWith({ bandwidth });
  const one = summarise(full, await scheduled(full, 'cut:fc2'));
  assert.is(one.busiest.name, 'link robot server');
  near(one.throughput, 1 / there, 'one way');
  const half = clusterWith({ bandwidth, duplex: 'half' });
  const both = summarise(half, await scheduled(half, 'cut:fc2'));
  near(both.throughput, 1 / (there + back), 'both ways');
});

test('on one device nothing crosses and all is hidden; energy is unknown as soon as one device says nothing of its power', async () => {
  const cluster = clusterWith();
  const schedule = await scheduled(cluster, 'whole:robot');
  const { seconds, bytes, joules, busiest, hidden } = summarise(cluster, schedule);
  assert.equal([bytes, hidden, busiest], [0, 1, { name: 'robot', share: 1 }]);
  near(joules, (5 + 10) * seconds, 'one computes, one waits');
  const silent = clusterWith({}, { robot: power.robot });
  assert.is(summarise(silent, await scheduled(silent, 'whole:robot')).joules, null);
});

test.run();
