/** Cluster files: what may be left out, and what is refused, with the field that is wrong. */
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

const two = 'devices: { a: {}, b: {} }\n';
const linked = (link: string) => `${two}links: [{ ${link} }]\n`;
// biome-ignore format: one row a case
const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a typo in a field': [`${two}link: []`, /^file: .*"link"$/],
  "a typo in a device's field": ['devices: { a: { sped: 2 } }', /^devices\.a: .*"sped"$/],
  "a typo in a link's field": [linked('between: [a, b], bandwidht: 1 MB/s'), /^links\.0\.bandwidth: .*; links\.0: .*"bandwidht"$/],
  'an unknown device in a link': [linked('between: [a, c], bandwidth: 1 MB/s'), /^links\.0\.between: no device "c"$/],
  'an unknown device for the inputs': [`${two}inputs: c`, /^inputs: no device "c"$/],
  'an unknown device for the outputs': [`${two}outputs: c`, /^outputs: no device "c"$/],
  'a device linked to itself': [linked('between: [a, a], bandwidth: 1 MB/s'), /^links\.0\.between: "a" is linked to itself$/],
  'a link of three': [linked('between: [a, b, a], bandwidth: 1 MB/s'), /^links\.0\.between: /],
  'two links between two devices': [`${two}links: [{ between: [a, b], bandwidth: 1 MB/s }, { between: [b, a], bandwidth: 2 MB/s }]`, /^links\.1\.between: links\.0 joins "b" and "a" already$/],
  'no bandwidth': [linked('between: [a, b]'), /^links\.0\.bandwidth: a number with its unit is expected$/],
  'bandwidth zero': [linked('between: [a, b], bandwidth: 0 MB/s'), /^links\.0\.bandwidth: "0 MB\/s" must be above zero$/],
  'bandwidth below zero': [linked('between: [a, b], bandwidth: -1 MB/s'), /^links\.0\.bandwidth: .* must be above zero$/],
  'bandwidth without a unit': [linked('between: [a, b], bandwidth: 100'), /^links\.0\.bandwidth: "100" has no unit; write one of/],
  'bandwidth not a number': [linked('between: [a, b], bandwidth: .nan'), /^links\.0\.bandwidth: /],
  'bandwidth in an unknown unit': [linked('between: [a, b], bandwidth: 5 knots'), /^links\.0\.bandwidth: "knots" is no known unit/],
  'bandwidth without end': [linked('between: [a, b], bandwidth: 1e999 MB/s'), /^links\.0\.bandwidth: .* is too large$/],
  'latency below zero': [linked('between: [a, b], bandwidth: 1 MB/s, latency: -2 ms'), /^links\.0\.latency: .* must be at least zero$/],
  'no memory': ['devices: { a: { memory: 0 B } }', /^devices\.a\.memory: "0 B" must be above zero$/],
  'speed zero': ['devices: { a: { speed: 0 } }', /^devices\.a\.speed: /],
  'speed not a number': ['devices: { a: { speed: .nan } }', /^devices\.a\.speed: /],
  'speed without end': ['devices: { a: { speed: .inf } }', /^devices\.a\.speed: /],
  'half a thread': ['devices: { a: { threads: 1.5 } }', /^devices\.a\.threads: /],
  'an endpoint without a port': ['devices: { a: { endpoint: "tcp://x" } }', /^devices\.a\.endpoint: an endpoint is tcp:/],
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
