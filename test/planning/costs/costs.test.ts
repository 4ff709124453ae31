/** Costs of a cluster whose devices are described in three ways, and what users are told about them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Cluster, ClusterDevice } from '../../../compiler/cluster/cluster.ts';
import type { Compute } from '../../../compiler/ir/program.ts';
import { tensorOf, wholeValue } from '../../../compiler/ir/program.ts';
import { costsOf, stepSeconds } from '../../../compiler/planning/costs/costs.ts';
import { costNotices } from '../../../compiler/planning/costs/notices.ts';
import { familyOf } from '../../../compiler/planning/costs/signature.ts';
import { cutsOf } from '../../../compiler/planning/cuts.ts';
import { wholeSpans } from '../../../compiler/planning/resolve.ts';
import type { Segment } from '../../../compiler/planning/schedule.ts';
import { tileOf } from '../../../compiler/planning/tile.ts';
import type { DeviceProfile } from '../../../compiler/profile/load.ts';
import { errorOf } from '../../support/error.ts';
import { clusterOf, imported } from '../../support/imported.ts';
import { chainsOfModel, point, profileOf } from '../../support/made-profile.ts';

const test = suite('costs');
const program = await imported('mlp');
const named = (name: string): Compute => cutsOf(program).operators.get(name)!;

/** a has a speed, b what is given. */
const clusterWith = (measured: DeviceProfile, more: Partial<ClusterDevice> = {}): Cluster => {
  const { devices, ...cluster } = clusterOf({ a: 1, b: 1 });
  return {
    ...cluster,
    devices: devices.map((device) => (device.name === 'b' ? { ...device, measured, ...more } : device)),
  };
};
const table = (layers: readonly (readonly [string, { seconds: number; joules?: number }])[]): DeviceProfile => ({
  kind: 'table',
  file: 't.csv',
  layers: new Map(layers),
});
const chain = chainsOfModel(program)[0]!;
const profiled: Extract<DeviceProfile, { kind: 'profile' }> = {
  kind: 'profile',
  file: 'p.json',
  profile: profileOf({ [chain.key]: { plain: [point(chain.family.sizes, [5, 1])], blocked: [] } }),
};

/** Half the rows of fc1. */
const half = () => {
  const { cut } = familyOf(program, named('fc1'));
  return tileOf(program, named('fc1'), cut, { device: 'b', spans: { ...wholeSpans(cut!), m: [0, 2] } });
};

test('each device by what it has: a speed, a profile', () => {
  const costs = costsOf(program, clusterWith(profiled));
  assert.is(costs.seconds('b', program, named('fc1')), 5);
  assert.is(costs.source('b', program, named('fc1')), 'measured');
  const [slow, fast] = [1, 4].map((speed) =>
    costsOf(program, clusterOf({ a: speed })).seconds('a', program, named('fc1')),
  );
  assert.is(slow, 4 * fast!);
  assert.is(costs.source('a', program, named('fc1')), 'estimated');
  assert.is(costs.joules('a', program, named('fc1')), undefined);
});

test('a table: layers by name, tiles their share, what it does not name nothing, energy where it has some', () => {
  const costs = costsOf(
    program,
    clusterWith(
      table([
        ['fc1', { seconds: 8, joules: 3 }],
        ['fc2', { seconds: 2 }],
      ]),
    ),
  );
  assert.is(costs.seconds('b', program, named('fc1')), 8);
  assert.is(costs.seconds('b', program, half()), 4);
  assert.is(costs.joules('b', program, half()), 1.5);
  assert.is(costs.joules('b', program, named('fc2')), undefined);
  assert.equal(
    ['fc1', 'relu1'].map((name) => costs.source('b', program, named(name))),
    ['table', 'free'],
  );
  assert.equal([costs.seconds('b', program, named('relu1')), costs.joules('b', program, named('relu1'))], [0, 0]);
  assert.equal([costs.border('b', 1e6), costs.message('b', 'send')], [0, 0]);
});

test('steps are asked for together where that is known, else a session is the sum of its operators and messages are free', () => {
  const segment: Segment = {
    kind: 'segment',
    index: 0,
    operators: [named('fc1'), named('relu1')],
    inputs: program.inputs.map((name) => wholeValue(tensorOf(program, name))),
    outputs: named('relu1').outputs.filter((output) => output !== null),
  };
  const figures = { seconds: () => 2, border: (_: string, bytes: number) => bytes / 1024 };
  const [value] = segment.outputs;
  const steps = [segment, { kind: 'send', channel: 0, value: value!, to: 'a' }] as const;
  assert.equal(stepSeconds(figures, 'b', program, steps), [4 + (4 * 4 * 128) / 1024, 0]);
  const costs = costsOf(program, clusterWith(profiled));
  const [session, send] = stepSeconds(costs, 'b', program, steps);
  assert.equal([session, send], costs.steps('b', program, steps));
  assert.ok(session! > 6 && send! > 0);
});

test('a table of another model is refused', async () => {
  const error = await errorOf('layer-table', () =>
    costsOf(program, clusterWith(table([['/conv1/Conv', { seconds: 1 }]]))),
  );
  assert.match(error.message, /^names no operator of mlp/);
  assert.match(error.context.hint!, /"\/conv1\/Conv".*"fc1"/);
});

test('a profile that was not read is our mistake, and no guess', () => {
  const cluster = clusterOf({ a: 1 });
  const devices = cluster.devices.map((device) => ({ ...device, profile: '/nowhere.json' }));
  assert.throws(() => costsOf(program, { ...cluster, devices }), /profile of a was not read/);
});

test('users are told what costs nothing, what is estimated, and other threads', () => {
  assert.equal(costNotices(program, clusterOf({ a: 1 })), []);
  assert.equal(costNotices(program, clusterWith(table([['fc1', { seconds: 1 }]]))), [
    'b: 5 of 6 operators are not in t.csv and cost nothing',
  ]);
  const [estimated, threads, ...rest] = costNotices(program, clusterWith(profiled, { threads: 2 }));
  assert.match(estimated!, /^b: \d of 6 operators are estimated: p\.json has nothing like them$/);
  assert.is(threads, 'b has 2 threads, p.json was measured with 1');
  assert.equal(rest, []);
  const older = {
    ...profiled,
    profile: { ...profiled.profile, machine: { ...profiled.profile.machine, onnxruntime: '1.2.3' } },
  };
  const [, version] = costNotices(program, clusterWith(older));
  assert.match(version!, /^p\.json was measured with onnxruntime 1\.2\.3, this one is \d+\.\d+/);
});

test.run();
