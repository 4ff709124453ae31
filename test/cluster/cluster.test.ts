/** Cluster files: what may be left out, what is assumed then, and what is refused, with the field that is wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { linkBetween, loadCluster, parseCluster } from '../../compiler/cluster/cluster.ts';
import { errorOf } from '../support/error.ts';

const test = suite('cluster');
const folder = await mkdtemp(join(tmpdir(), 'shardonnx-test-'));
test.after(() => rm(folder, { recursive: true }));

/** Loads `text` as a cluster file. */
async function load(text: string) {
  const file = join(folder, 'cluster.yaml');
  await writeFile(file, text);
  return loadCluster(file);
}

test('everything but the devices has a default', async () => {
  const { devices, links, inputs, outputs } = await load('devices:\n  robot:\n  server: {}\n');
  assert.equal(
    devices.map(({ name, speed, memory }) => [name, speed, memory]),
    [
      ['robot', 1, undefined],
      ['server', 1, undefined],
    ],
  );
  assert.equal([links, inputs, outputs], [[], 'robot', 'robot']);
});

test('the example of the design, as YAML and as JSON', async () => {
  const yaml = `
devices:
  robot:  { speed: 1 }
  server: { speed: 4, memory: 2 GiB, threads: 2, endpoint: tcp://10.0.0.2:7000 }
links:
  - { between: [robot, server], bandwidth: 93 Mbit/s, latency: 2 ms }
inputs: server
`;
  const cluster = await load(yaml);
  assert.equal(cluster.devices[1], {
    name: 'server',
    speed: 4,
    memory: 2 ** 31,
    threads: 2,
    endpoint: 'tcp://10.0.0.2:7000',
  });
  assert.equal([cluster.inputs, cluster.outputs], ['server', 'server']);
  assert.is(linkBetween(cluster, 'server', 'robot'), cluster.links[0]);
  const json = {
    devices: {
      robot: { speed: 1 },
      server: { speed: 4, memory: '2 GiB', threads: 2, endpoint: 'tcp://10.0.0.2:7000' },
    },
    links: [{ between: ['robot', 'server'], bandwidth: '93 Mbit/s', latency: '2 ms' }],
    inputs: 'server',
  };
  assert.equal(await load(JSON.stringify(json)), cluster);
});

test('every field of a device; a profile lies where the file says, seen from the file', async () => {
  const { devices } = await load(`
devices:
  robot:
    profile: profiles/robot.json
    memory: 2 GiB
    power: { idle: 4900 mW, compute: 14 W, send: 5 W }
    threads: 4
    providers: [cuda, cpu]
    endpoint: tcp://10.0.0.2:7000
  server: { power: { compute: 250 W } }
`);
  assert.equal(devices[0], {
    name: 'robot',
    speed: 1,
    profile: join(folder, 'profiles/robot.json'),
    memory: 2 ** 31,
    power: { idle: 4.9, compute: 14, send: 5, receive: 4.9 },
    threads: 4,
    providers: ['cuda', 'cpu'],
    endpoint: 'tcp://10.0.0.2:7000',
  });
  assert.equal(devices[1]!.power, { idle: 0, compute: 250, send: 0, receive: 0 });
});

test('an absolute path of a profile stays as it is', async () => {
  const path = join(folder, 'elsewhere', 'p.json');
  const { devices } = await load(JSON.stringify({ devices: { a: { profile: path } } }));
  assert.is(devices[0]!.profile, path);
});

test('of a link, all but the bandwidth may be left out', async () => {
  const { links } = await load('devices: { a: {}, b: {} }\nlinks: [{ between: [a, b], bandwidth: 1 MB/s }]');
  const rest = { latency: 0, overhead: 0, burst: 0, frame: null, energy: 0, power: 0, duplex: 'full' };
  assert.equal(links, [{ between: ['a', 'b'], bandwidth: 1e6, ...rest }]);
});

test('every field of a link', async () => {
  const { links } = await load(`
devices: { a: {}, b: {} }
links:
  - between: [a, b]
    bandwidth: 8 Mbit/s
    latency: 3 ms
    overhead: 50 us
    burst: 64 kB
    frame: { payload: 9 kB, overhead: 38 B }
    energy: 5 nJ/B
    power: 700 mW
    duplex: half
`);
  const figures = { bandwidth: 1e6, latency: 3e-3, overhead: 50e-6, burst: 64_000, energy: 5e-9, power: 0.7 };
  const [link] = links;
  for (const [field, value] of Object.entries(figures)) {
    const read = Object.entries(link!).find(([name]) => name === field)![1];
    assert.ok(Math.abs(Number(read) - value) < 1e-15, field);
  }
  assert.equal([link!.frame, link!.duplex], [{ payload: 9000, overhead: 38 }, 'half']);
});

test('a named link, of which every field can be told otherwise', async () => {
  const link = async (more: string) =>
    (await load(`devices: { a: {}, b: {} }\nlinks: [{ between: [a, b], ${more} }]`)).links[0]!;
  const gigabit = await link('link: ethernet-1000');
  assert.equal([gigabit.bandwidth, gigabit.frame], [125e6, { payload: 1500, overhead: 26 }]);
  const changes = {
    bandwidth: ['2 MB/s', 2e6],
    latency: ['0 s', 0],
    overhead: ['1 s', 1],
    burst: ['1 kB', 1000],
    energy: ['1 J/B', 1],
    power: ['0 W', 0],
    duplex: ['half', 'half'],
    frame: [
      { payload: '9 kB', overhead: '0 B' },
      { payload: 9000, overhead: 0 },
    ],
  } as const;
  for (const [field, [written, read]] of Object.entries(changes)) {
    assert.equal(await link(`link: ethernet-1000, ${field}: ${JSON.stringify(written)}`), {
      ...gigabit,
      [field]: read,
    });
  }
  assert.is((await link('link: wifi-80')).duplex, 'half');
});

const two = 'devices: { a: {}, b: {} }\n';
const linked = (link: string) => `${two}links: [{ ${link} }]\n`;
// biome-ignore format: one row a case
const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a typo in a field': [`${two}link: []`, /^file: .*"link"$/],
  "a typo in a device's field": ['devices: { a: { sped: 2 } }', /^devices\.a: .*"sped"$/],
  "a typo in a link's field": [linked('between: [a, b], bandwidht: 1 MB/s'), /^links\.0: .*"bandwidht"; links\.0\.bandwidth: is needed/],
  'an unknown device in a link': [linked('between: [a, c], bandwidth: 1 MB/s'), /^links\.0\.between: no device "c"$/],
  'an unknown device for the inputs': [`${two}inputs: c`, /^inputs: no device "c"$/],
  'an unknown device for the outputs': [`${two}outputs: c`, /^outputs: no device "c"$/],
  'a device linked to itself': [linked('between: [a, a], bandwidth: 1 MB/s'), /^links\.0\.between: "a" is linked to itself$/],
  'a link of three': [linked('between: [a, b, a], bandwidth: 1 MB/s'), /^links\.0\.between: /],
  'two links between two devices': [`${two}links: [{ between: [a, b], bandwidth: 1 MB/s }, { between: [b, a], bandwidth: 2 MB/s }]`, /^links\.1\.between: links\.0 joins "b" and "a" already$/],
  'no bandwidth': [linked('between: [a, b]'), /^links\.0\.bandwidth: is needed, e\.g\. 93 Mbit\/s, or a named link: ethernet-100, ethernet-1000, wifi-80$/],
  'a bandwidth that is a list': [linked('between: [a, b], bandwidth: [1 MB/s]'), /^links\.0\.bandwidth: a number with its unit is expected$/],
  'bandwidth zero': [linked('between: [a, b], bandwidth: 0 MB/s'), /^links\.0\.bandwidth: "0 MB\/s" must be above zero$/],
  'bandwidth below zero': [linked('between: [a, b], bandwidth: -1 MB/s'), /^links\.0\.bandwidth: .* must be above zero$/],
  'bandwidth without a unit': [linked('between: [a, b], bandwidth: 100'), /^links\.0\.bandwidth: "100" has no unit; write one of/],
  'bandwidth not a number': [linked('between: [a, b], bandwidth: .nan'), /^links\.0\.bandwidth: /],
  'bandwidth in an unknown unit': [linked('between: [a, b], bandwidth: 5 knots'), /^links\.0\.bandwidth: "knots" is no known unit/],
  'bandwidth without end': [linked('between: [a, b], bandwidth: 1e999 MB/s'), /^links\.0\.bandwidth: .* is too large, the most is 10 TB\/s$/],
  'bandwidth beyond reason': [linked('between: [a, b], bandwidth: 1e30 bit/s'), /^links\.0\.bandwidth: "1e30 bit\/s" is too large, the most is 10 TB\/s$/],
  'next to no bandwidth': [linked('between: [a, b], bandwidth: 1e-30 B/s'), /^links\.0\.bandwidth: .* is too small, the least is 1 bit\/s$/],
  'latency below zero': [linked('between: [a, b], bandwidth: 1 MB/s, latency: -2 ms'), /^links\.0\.latency: .* must be at least zero$/],
  'latency of a year': [linked('link: wifi-80, between: [a, b], latency: 31536000 s'), /^links\.0\.latency: .* is too large, the most is 60 s$/],
  'latency in years': [linked('link: wifi-80, between: [a, b], latency: 1 year'), /^links\.0\.latency: "year" is no known unit; write one of ns, us, µs, ms, s$/],
  'latency without a unit': [linked('link: wifi-80, between: [a, b], latency: 2'), /^links\.0\.latency: "2" has no unit/],
  'latency not a number': [linked('link: wifi-80, between: [a, b], latency: .nan'), /^links\.0\.latency: "NaN" is no quantity/],
  'overhead in bytes': [linked('link: wifi-80, between: [a, b], overhead: 26 B'), /^links\.0\.overhead: "B" is no known unit; write one of ns/],
  'overhead below zero': [linked('link: wifi-80, between: [a, b], overhead: -1 us'), /^links\.0\.overhead: .* must be at least zero$/],
  'overhead of an hour': [linked('link: wifi-80, between: [a, b], overhead: 3600 s'), /^links\.0\.overhead: .* is too large/],
  'a frame without payload': [linked('link: wifi-80, between: [a, b], frame: { overhead: 26 B }'), /^links\.0\.frame\.payload: a number with its unit is expected$/],
  'a frame of nothing': [linked('link: wifi-80, between: [a, b], frame: { payload: 0 B, overhead: 26 B }'), /^links\.0\.frame\.payload: "0 B" must be above zero$/],
  'a frame with less than nothing around it': [linked('link: wifi-80, between: [a, b], frame: { payload: 1 kB, overhead: -1 B }'), /^links\.0\.frame\.overhead: .* must be at least zero$/],
  'energy in joules': [linked('link: wifi-80, between: [a, b], energy: 1 J'), /^links\.0\.energy: "J" is no known unit; write one of J\/B/],
  'energy below zero': [linked('link: wifi-80, between: [a, b], energy: -1 nJ/B'), /^links\.0\.energy: .* must be at least zero$/],
  'energy of a bomb': [linked('link: wifi-80, between: [a, b], energy: 1e9 J/B'), /^links\.0\.energy: .* is too large, the most is 1 J\/B$/],
  'power of a link below zero': [linked('link: wifi-80, between: [a, b], power: -1 W'), /^links\.0\.power: .* must be at least zero$/],
  'power of a link in GW': [linked('link: wifi-80, between: [a, b], power: 1 GW'), /^links\.0\.power: "GW" is no known unit; write one of uW, µW, mW, W, kW$/],
  'a third duplex': [linked('link: wifi-80, between: [a, b], duplex: both'), /^links\.0\.duplex: .*"full"\|"half"/],
  'an unknown link': [linked('between: [a, b], link: wifi-8'), /^links\.0\.link: "wifi-8" is no named link; named are ethernet-100, ethernet-1000, wifi-80$/],
  'a link of that name in JavaScript only': [linked('between: [a, b], link: constructor'), /^links\.0\.link: "constructor" is no named link/],
  'no memory': ['devices: { a: { memory: 0 B } }', /^devices\.a\.memory: "0 B" must be above zero$/],
  'speed zero': ['devices: { a: { speed: 0 } }', /^devices\.a\.speed: /],
  'speed not a number': ['devices: { a: { speed: .nan } }', /^devices\.a\.speed: /],
  'speed without end': ['devices: { a: { speed: .inf } }', /^devices\.a\.speed: /],
  'speed beyond reason': ['devices: { a: { speed: 1e9 } }', /^devices\.a\.speed: is too large, the most is 1e6$/],
  'next to no speed': ['devices: { a: { speed: 1e-30 } }', /^devices\.a\.speed: is too small, the least is 1e-6$/],
  'speed below zero': ['devices: { a: { speed: -1 } }', /^devices\.a\.speed: must be above zero$/],
  'speed as text': ['devices: { a: { speed: fast } }', /^devices\.a\.speed: .*expected number/],
  'speed and profile': ['devices: { a: { speed: 2, profile: a.json } }', /^devices\.a\.speed: a profile says how fast/],
  'a profile without a name': ['devices: { a: { profile: "" } }', /^devices\.a\.profile: /],
  'memory beyond reason': ['devices: { a: { memory: 1e30 GB } }', /^devices\.a\.memory: .* is too large, the most is 1000 TB$/],
  'memory without a unit': ['devices: { a: { memory: 1024 } }', /^devices\.a\.memory: "1024" has no unit; write one of B, kB/],
  'power without a unit': ['devices: { a: { power: { compute: 5 } } }', /^devices\.a\.power\.compute: "5" has no unit; write one of uW, µW, mW, W, kW$/],
  'power of a GW': ['devices: { a: { power: { compute: 1e9 W } } }', /^devices\.a\.power\.compute: "1e9 W" is too large, the most is 100 kW$/],
  'power below zero': ['devices: { a: { power: { compute: 5 W, send: -1 W } } }', /^devices\.a\.power\.send: "-1 W" must be at least zero$/],
  'power not a number': ['devices: { a: { power: { compute: .nan } } }', /^devices\.a\.power\.compute: "NaN" is no quantity/],
  'power of an unknown state': ['devices: { a: { power: { compute: 5 W, sleep: 1 W } } }', /^devices\.a\.power: .*"sleep"$/],
  'power as one figure': ['devices: { a: { power: 5 W } }', /^devices\.a\.power: .*expected object/],
  'power without computing': ['devices: { a: { power: { idle: 5 W } } }', /^devices\.a\.power\.compute: a number with its unit is expected$/],
  'computing for less than waiting': ['devices: { a: { power: { idle: 5 W, compute: 3 W } } }', /^devices\.a\.power\.compute: 3 W is below idle, 5 W/],
  'an unknown execution provider': ['devices: { a: { providers: [gpu] } }', /^devices\.a\.providers\.0: "gpu" is no execution provider; known are cpu, cuda/],
  'no execution provider': ['devices: { a: { providers: [] } }', /^devices\.a\.providers: /],
  'elements of no width that there is': ['devices: { a: { bits: 12 } }', /^devices\.a\.bits: elements have 8, 16 or 32 bits$/],
  'bits with a unit': ['devices: { a: { bits: 16 bit } }', /^devices\.a\.bits: elements have 8, 16 or 32 bits$/],
  'no thread': ['devices: { a: { threads: 0 } }', /^devices\.a\.threads: /],
  'a million threads': ['devices: { a: { threads: 1000000 } }', /^devices\.a\.threads: .*4096/],
  'half a thread': ['devices: { a: { threads: 1.5 } }', /^devices\.a\.threads: /],
  'an endpoint without a port': ['devices: { a: { endpoint: "tcp://x" } }', /^devices\.a\.endpoint: an endpoint is tcp:/],
  'an endpoint beyond the last port': ['devices: { a: { endpoint: "tcp://x:99999" } }', /^devices\.a\.endpoint: the last port is 65535$/],
  'a device that is a number': ['devices: { a: 1 }', /^devices\.a: /],
  'a device name that is a path': ['devices: { "../a": {} }', /^devices\.\.\.\/a: a device name is a letter/],
  'no devices': ['devices: {}', /^devices: at least one is needed$/],
  'devices as a list': ['devices: [a, b]', /^devices: /],
  'an empty file': ['', /^file: /],
  'plain text': ['hello', /^file: /],
  'broken YAML': ['devices: { a: {}', /line 1, column \d+/],
  'the same device twice': ['devices:\n  a:\n  a:\n', /unique/],
};

for (const [what, [text, message]] of Object.entries(wrong)) {
  test(what, async () => {
    const error = await errorOf('cluster', () => load(text));
    assert.match(error.message, message);
    assert.equal(error.context.at, [join(folder, 'cluster.yaml')]);
  });
}

test('no file', async () => {
  const error = await errorOf('cluster', () => loadCluster(join(folder, 'none.yaml')));
  assert.match(error.message, /cannot read .*none\.yaml/);
  assert.match(error.context.hint!, /--cluster/);
});

test('a cluster made in code is checked in the same way', async () => {
  const error = await errorOf('cluster', () => parseCluster({ devices: { a: {} }, inputs: 'b' }));
  assert.equal(error.context.at, ['cluster']);
});

test.run();
