/** Plans that policies make: who gets what. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import type { Program } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { parseRegion } from '../../compiler/ir/region.ts';
import { costGraphOf } from '../../compiler/planning/cost-graph.ts';
import { cutsOf } from '../../compiler/planning/cuts.ts';
import { type BytesPerFloat, crossings } from '../../compiler/planning/encodings.ts';
import { costOf } from '../../compiler/planning/placement/evaluate.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { summarise } from '../../compiler/planning/summary.ts';
import { isPlanned, judge } from '../../compiler/policies.ts';
import type { DeviceProfile } from '../../compiler/profile/load.ts';
import { models } from '../../fixtures/models.ts';
import { cast, conv } from '../../fixtures/zoo/layers.ts';
import { importBuilt } from '../support/built.ts';
import { errorOf } from '../support/error.ts';
import { bytesMoved, clusterOf, imported, lowered, type ModelName } from '../support/imported.ts';
import { chainsOfModel, point, profileOf } from '../support/made-profile.ts';
import { replay } from '../support/replay.ts';

const test = suite('policies');
const two = clusterOf({ a: 1, b: 3 });
const three = clusterOf({ a: 1, b: 2, c: 1.5 });

/** Devices that a plan names. */
const devicesOf = ({ operators }: Plan): Set<string> =>
  new Set(
    Object.values(operators).flatMap((parts) => (typeof parts === 'string' ? [parts] : parts.map((p) => p.device))),
  );
const planned = (program: Program<'imported'>) =>
  program.operators.filter(({ origin }) => !cutsOf(program).onDemand.has(origin));

/** Rows of the operator's output that each device gets. */
function rows(program: Program<'imported'>, plan: Plan, name: string): Record<string, readonly [number, number]> {
  const parts = plan.operators[name];
  const { shape } = tensorOf(program, name);
  assert.ok(Array.isArray(parts), name);
  return Object.fromEntries(parts.map(({ device, region }) => [device, parseRegion(region!, shape)![2]!]));
}

/** Softmax over the last axis: the 40 rows are the only axis that can be cut. */
const byRows = () =>
  importBuilt('rows', (g) => {
    const shape = [1, 1, 40, 16384];
    const attributes = { axis: 3 };
    const first = g.node('Softmax', [g.input('x', shape)], { dtype: 'float32', shape }, { name: 'first', attributes });
    g.output(g.node('Softmax', [first], { dtype: 'float32', shape }, { name: 'y', attributes }));
  });

test('every policy gives every operator a place, for every model', async () => {
  for (const name of Object.keys(models) as ModelName[]) {
    const program = await imported(name);
    const origins = planned(program).map(({ origin }) => origin);
    const middle = origins[Math.floor(origins.length / 2)];
    for (const policy of ['whole:b', 'local', 'offload', 'cut', `cut:${middle}`, 'pipeline', 'spatial', 'channel']) {
      const plan = await makePlan(program, two, policy);
      assert.equal(Object.keys(plan.operators).sort(), [...origins].sort(), `${name} ${policy}`);
      assert.equal([plan.format, plan.policy, plan.model], [1, policy, program.name]);
    }
  }
});

test('whole: all on the device that is named', async () => {
  const program = await imported('convChain');
  assert.equal([...devicesOf(await makePlan(program, three, 'whole:b'))], ['b']);
});

test('cut: before the node on the first device, the rest on the next', async () => {
  const program = await imported('mlp');
  const { operators } = await makePlan(program, three, 'cut:fc2,softmax');
  assert.equal(operators, { fc1: 'a', relu1: 'a', fc2: 'b', relu2: 'b', fc3: 'b', softmax: 'c' });
  assert.equal(
    (await makePlan(program, three, 'cut:softmax,fc2')).operators,
    operators,
    'in whatever order nodes are named',
  );
  assert.equal(
    (await makePlan(program, two, 'cut:y')).operators.softmax,
    'b',
    'a tensor stands for the node that makes it',
  );
});

test('local and offload: all where the inputs are, all on the other device that is fastest', async () => {
  const program = await imported('convChain');
  const cluster = { ...three, inputs: 'b', outputs: 'b' };
  assert.equal([...devicesOf(await makePlan(program, cluster, 'local'))], ['b']);
  assert.equal([...devicesOf(await makePlan(program, cluster, 'offload'))], ['c']);
  assert.equal([...devicesOf(await makePlan(program, three, 'offload'))], ['b']);
  // Without a link from the inputs the fastest is no use.
  const links = three.links.filter(({ between }) => !between.includes('b'));
  assert.equal([...devicesOf(await makePlan(program, { ...three, links }, 'offload'))], ['c']);
  const island = await errorOf('policy', () => makePlan(program, { ...three, links: [] }, 'offload'));
  assert.match(island.message, /no other device has links/);
  const alone = await errorOf('policy', () => makePlan(program, clusterOf({ a: 1 }), 'offload'));
  assert.match(alone.message, /no device beside a/);
});

test('cut without a node: the layer cut of least latency', async () => {
  const program = await imported('mlp');
  assert.equal([...devicesOf(await makePlan(program, clusterOf({ a: 1, b: 1 }), 'cut'))], ['a'], 'nothing to gain');
  const fast = clusterOf({ a: 1e-4, b: 1e4 }, 'a', '1 GB/s');
  assert.equal([...devicesOf(await makePlan(program, fast, 'cut'))], ['b']);
  // 86,696 bytes of weights: neither device has room for all.
  const small = { ...fast, devices: fast.devices.map((device) => ({ ...device, memory: 65_000 })) };
  assert.equal([...devicesOf(await makePlan(program, small, 'cut'))], ['a', 'b']);
  const none = { ...fast, devices: fast.devices.map((device) => ({ ...device, memory: 1000 })) };
  const error = await errorOf('policy', () => makePlan(program, none, 'cut'));
  assert.match(error.message, /needs .* for its weights .* no device has more than 1000 B/);
});

test('cut: messages keep devices busy too, as the simulator has it', async () => {
  const program = await byRows();
  const [chain] = chainsOfModel(program);
  const cluster = (one: { send: number; receive: number }) => {
    const messages = { after: [{ touched: 0, ...one }], further: one, pause: 0 };
    const measured = (seconds: number): DeviceProfile => ({
      kind: 'profile',
      profile: profileOf(
        { [chain!.key]: { plain: [point(chain!.family.sizes, [seconds])], blocked: [] } },
        {
          messages,
          session: { after: [{ touched: 0, seconds: 0 }], alone: 0, outputs: 1e15 },
          memory: { copy: 1e15, cold: [{ touched: 1, seconds: 0 }] },
        },
      ),
      file: 'made up',
    });
    const { devices, ...rest } = clusterOf({ a: 1, b: 1 }, 'a', '1 GB/s');
    return { ...rest, devices: devices.map((device, i) => ({ ...device, measured: measured(i === 0 ? 5 : 1) })) };
  };
  const [light, heavy] = [cluster({ send: 0.25, receive: 0.5 }), cluster({ send: 2, receive: 3 })];
  assert.equal([...devicesOf(await makePlan(program, light, 'cut'))], ['b']);
  assert.equal([...devicesOf(await makePlan(program, heavy, 'cut'))], ['a']);
  const graph = costGraphOf(program, light);
  const { seconds } = costOf(graph, [1, 1]);
  const { schedule } = lowered(program, { cluster: light, plan: await makePlan(program, light, 'whole:b') });
  assert.ok(Math.abs(schedule.makespan - seconds) < 1e-3, `${seconds}, simulated ${schedule.makespan}`);
});

test('pipeline: stages in the order of the devices, as even as they can be', async () => {
  const program = await imported('convChain');
  const { operators } = await makePlan(program, clusterOf({ a: 1, b: 1 }, 'b', '100 GB/s'), 'pipeline');
  const places = Object.values(operators);
  assert.equal([...places].sort(), places);
  assert.equal(new Set(places), new Set(['a', 'b']));
});

test('spatial: shares follow speeds', async () => {
  const program = await byRows();
  const plan = await makePlan(program, clusterOf({ a: 1, b: 3, c: 6 }), 'spatial');
  assert.equal(rows(program, plan, 'y'), { a: [0, 4], b: [4, 16], c: [16, 40] });
  const even = await makePlan(program, clusterOf({ a: 2, b: 2 }), 'spatial');
  assert.equal(rows(program, even, 'y'), { a: [0, 20], b: [20, 40] });
});

test('spatial: shares follow what was measured, not the speed of 1 that stands for it', async () => {
  const program = await byRows();
  const [chain] = chainsOfModel(program);
  const measured = (seconds: number): DeviceProfile => ({
    kind: 'profile',
    profile: profileOf({ [chain!.key]: { plain: [point(chain!.family.sizes, [seconds])], blocked: [] } }),
    file: 'made up',
  });
  const cluster = clusterOf({ a: 1, b: 1 });
  const devices = cluster.devices.map((device, i) => ({ ...device, measured: measured(i === 0 ? 3 : 1) }));
  const plan = await makePlan(program, { ...cluster, devices }, 'spatial');
  assert.equal(rows(program, plan, 'y'), { a: [0, 10], b: [10, 40] });
});

test('spatial: a device too slow for a single row is left out', async () => {
  const program = await byRows();
  const plan = await makePlan(program, clusterOf({ a: 1, b: 500, c: 500 }), 'spatial');
  assert.equal(rows(program, plan, 'y'), { b: [0, 20], c: [20, 40] });
});

test('spatial: one device gets everything', async () => {
  assert.equal([...devicesOf(await makePlan(await imported('unet'), clusterOf({ a: 1 }), 'spatial'))], ['a']);
});

test('spatial, channel: plans are legal whatever the speeds, for every model', async () => {
  const clusters = [
    clusterOf({ a: 1, b: 1 }),
    clusterOf({ a: 0.1, b: 0.2, c: 0.3 }, 'b'),
    clusterOf({ a: 7, b: 1, c: 1, d: 1.3 }, 'd'),
  ];
  for (const name of Object.keys(models) as ModelName[]) {
    const program = await imported(name);
    for (const cluster of clusters) {
      const tensorParallel = await makePlan(program, cluster, 'channel');
      replay(lowered(program, { cluster, plan: tensorParallel }).schedule);
      const { schedule } = lowered(program, { cluster, plan: await makePlan(program, cluster, 'spatial') });
      replay(schedule);
      const working = schedule.devices.filter(({ steps }) => steps.some(({ kind }) => kind === 'segment'));
      assert.is(working.length, cluster.devices.length, `${name} on ${cluster.devices.length}`);
    }
  }
});

/** The first convolution is nearly all of the work. */
const topHeavy = () =>
  importBuilt('top-heavy', (g) => {
    const first = conv(g, g.input('x', [1, 16, 192, 192]), 'first', 64, 5, { pad: 2 });
    g.output(conv(g, conv(g, first, 'second', 8, 1), 'third', 8, 3, { pad: 1 }));
  });

test('pipeline: a stage that weighs too much is shared; never less throughput than stages of whole operators have', async () => {
  const programs = await Promise.all((Object.keys(models) as ModelName[]).map(imported));
  for (const program of [...programs, await topHeavy()]) {
    const cluster = clusterOf({ a: 1, b: 1, c: 1, d: 1 }, 'd', '10 Gbit/s');
    const whole = lowered(program, { cluster, plan: await makePlan(program, cluster, 'pipeline') });
    const shared = await judge(program, cluster, 'pipeline');
    assert.ok(isPlanned(shared), program.name);
    replay(shared.schedule);
    const [least, found] = [whole.schedule, shared.schedule].map((one) => summarise(cluster, one).throughput);
    assert.ok(found! >= least! * (1 - 1e-9), `${program.name}: ${found}, whole operators ${least}`);
    if (program.name !== 'top-heavy') continue;
    assert.ok(found! > 2 * least!, `${found}, whole operators ${least}`);
    assert.ok(Array.isArray(shared.plan.operators.first), 'several devices have the first layer');
  }
});

test('hybrid: within the memory of devices, where the fastest layout is not', async () => {
  let planned = 0;
  for (const name of ['convChain', 'residualBlock', 'squeezeExcite', 'transformerBlock', 'unet'] as const) {
    const program = await imported(name);
    const roomy = clusterOf({ a: 1e-4, b: 1e4 }, 'a', '1 GB/s');
    const { devices } = lowered(program, { cluster: roomy, plan: await makePlan(program, roomy, 'hybrid') }).schedule;
    const memory = Math.round(0.9 * Math.max(...devices.map(({ peakBytes }) => peakBytes)));
    const small = { ...roomy, devices: roomy.devices.map((device) => ({ ...device, memory })) };
    const found = await judge(program, small, 'hybrid');
    if (!isPlanned(found)) continue;
    planned++;
    for (const { device, peakBytes } of found.schedule.devices) assert.ok(peakBytes <= memory, `${name}: ${device}`);
  }
  assert.ok(planned >= 4, `${planned} of 5`);
});

test('hybrid: too little memory for the weights is said so', async () => {
  const cluster = clusterOf({ a: 1, b: 1 });
  const small = { ...cluster, devices: cluster.devices.map((device) => ({ ...device, memory: 40_000 })) };
  const program = await imported('mlp');
  const error = await errorOf('policy', () => makePlan(program, small, 'hybrid'));
  assert.match(error.message, /^the weights need 84.7 KiB, all devices together have 78.1 KiB$/);
});

test('two bytes a float are planned for as twice the bandwidth is', async () => {
  const program = await imported('unet');
  for (const policy of ['cut', 'pipeline', 'hybrid', 'offload', 'spatial', 'channel']) {
    const at = async (megabits: number, bytesPerFloat: BytesPerFloat) => {
      const cluster = clusterOf({ a: 1, b: 20 }, 'a', `${megabits} Mbit/s`);
      return (await makePlan(program, cluster, policy, { bytesPerFloat })).operators;
    };
    for (const megabits of [800, 3200])
      assert.equal(await at(megabits, 2), await at(2 * megabits, 4), `${policy} at ${megabits}`);
    // Of these, one has nothing to choose, the other's fewest bytes are the fewest whatever each weighs.
    if (policy === 'offload' || policy === 'spatial') continue;
    const flips = policy === 'cut' || policy === 'channel' ? 3200 : 800;
    assert.not.equal(await at(flips, 2), await at(flips, 4), `${policy} minds the bandwidth`);
  }
});

test('spatial, channel: beside integers float32 weighs half where it crosses as float16', async () => {
  const program = await imported('integers');
  const cluster = clusterOf({ a: 1, b: 1 }, 'a', '10 Mbit/s');
  for (const policy of ['spatial', 'channel']) {
    const [half, whole] = await Promise.all(
      ([2, 4] as const).map(async (bytesPerFloat) => {
        const plan = await makePlan(program, cluster, policy, { bytesPerFloat });
        const all = crossings(lowered(program, { cluster, plan }).schedule);
        const encodings = Object.fromEntries(all.map(({ tensor }) => [tensor, 'float16' as const]));
        return bytesMoved(lowered(program, { cluster, plan: { ...plan, encodings } }).schedule);
      }),
    );
    assert.ok(half! < whole!, `${policy}: ${half}, ${whole} as planned for float32`);
  }
});

test('a picture of bytes that is made float32 first crosses as bytes', async () => {
  const program = await importBuilt('bytes', (g) => {
    const x = cast(g, g.input('picture', [1, 3, 64, 64], 'uint8'), 'float32', 'cast');
    g.output(conv(g, conv(g, x, 'conv1', 8, 3, { pad: 1 }), 'conv2', 8, 3, { pad: 1 }));
  });
  const fast = clusterOf({ a: 0.05, b: 1 }, 'a');
  for (const policy of ['offload', 'cut', 'spatial', 'channel', 'hybrid']) {
    const { schedule } = lowered(program, { cluster: fast, plan: await makePlan(program, fast, policy) });
    const sent = schedule.channels.filter(({ from }) => from === 'a').map(({ value }) => value.tensor);
    assert.ok(sent.includes('picture') && !sent.includes('cast'), `${policy}: ${sent}`);
  }
});

test('bytes and integers are no smaller for it', async () => {
  const program = await imported('integers');
  const tensors = (bytesPerFloat: BytesPerFloat) =>
    new Map(costGraphOf(program, two, { bytesPerFloat }).tensors.map((tensor) => [tensor.name, tensor]));
  const [whole, half] = [tensors(4), tensors(2)];
  for (const [name, { bytes, heldBytes }] of half) {
    const scale = tensorOf(program, name).dtype === 'float32' ? 2 : 1;
    const other = whole.get(name)!;
    assert.equal([bytes.map((one) => one * scale), heldBytes], [other.bytes, other.heldBytes], name);
  }
  assert.equal(half.get('picture')!.bytes, [12 * 16 * 3, 12 * 16 * 3]);
});

test('elements of 16 and 8 bits: in memory, and on the way from the device that has them', async () => {
  const program = await importBuilt('published', (g) => {
    g.output(conv(g, g.input('x', [1, 3, 224, 224]), 'conv', 32, 3, { stride: 2, pad: 1 }), 'y');
  });
  const [wide, narrow] = [16, 8] as const;
  const cluster = parseCluster({
    devices: { a: { bits: wide }, b: { bits: narrow } },
    links: [{ between: ['a', 'b'], link: 'ethernet-1000' }],
  });
  const count = 32 * 112 * 112;
  const { tensors, operators, transfer } = costGraphOf(program, cluster, { ownBits: true });
  const [, y] = tensors;
  assert.equal(
    [y!.bytes, y!.heldBytes],
    [
      [2 * count, count],
      [2 * count, count],
    ],
  );
  assert.equal(operators[0]!.weightBytes, [2 * 32 * 28, 32 * 28]);
  // As Kress et al. have it.
  const { seconds, joules } = transfer(0, 1, y!.bytes[0]!);
  assert.ok(Math.abs(seconds - 6.534046e-3) < 1e-9 && Math.abs(joules - 3.9204276e-3) < 1e-9);
  const executed = costGraphOf(program, cluster);
  assert.equal(
    [executed.tensors[1]!.bytes, executed.operators[0]!.weightBytes[0]],
    [[4 * count, 4 * count], 4 * 32 * 28],
  );
});

test('what is no policy', async () => {
  const program = await imported('mlp');
  const wrong: readonly (readonly [string, RegExp, RegExp])[] = [
    ['fastest', /no policy "fastest"/, /whole:DEVICE, local, offload, cut\[:NODE/],
    ['', /no policy ""/, /spatial/],
    ['whole', /needs an argument/, /write whole:DEVICE/],
    ['cut:', /needs an argument/, /write cut\[:NODE/],
    ['spatial:a', /takes no argument/, /write spatial/],
    ['whole:c', /no device "c"/, /devices are a, b/],
    ['cut:fc9', /no operator or tensor "fc9"/, /inspect/],
    ['cut:fc2,fc3', /3 stages for 2 devices/, /add devices/],
  ];
  for (const [policy, message, hint] of wrong) {
    const error = await errorOf('policy', () => makePlan(program, two, policy));
    assert.match(error.message, message);
    assert.match(error.context.hint!, hint);
    assert.equal(error.context.at, [`policy ${policy}`]);
  }
});

test.run();
