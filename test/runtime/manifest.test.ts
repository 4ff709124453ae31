/** device.json as people and broken disks leave it: told, never a crash. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ShardonnxError } from '../../runtime/error.ts';
import type { DeviceManifest } from '../../runtime/manifest.ts';
import { readDeviceManifest } from '../../runtime/read-manifest.ts';
import { callersOf, listenersOf, peersOf } from '../../runtime/transport.ts';
import { rejection } from '../support/error.ts';
import { LINE, ROUND_TRIP, removeBuilds, writeBuild } from './fixture.ts';

const test = suite('manifest');
test.after(removeBuilds);

async function robot() {
  const directory = join(await writeBuild(ROUND_TRIP), 'robot');
  const file = join(directory, 'device.json');
  const manifest: DeviceManifest = JSON.parse(await readFile(file, 'utf8'));
  const message = async (content: unknown) => {
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return (await rejection(readDeviceManifest(directory), 'bundle-invalid')).message;
  };
  return { directory, file, manifest, message };
}

test('what codegen writes is read as it was written', async () => {
  const { directory, file, manifest } = await robot();
  assert.equal(await readDeviceManifest(directory), manifest);
  const more = { ...manifest, threads: 2, providers: ['cuda', 'cpu'], endpoints: { server: 'tcp://10.0.0.2:7000' } };
  await writeFile(file, JSON.stringify({ ...more, later: 'fields are ignored' }));
  assert.equal(await readDeviceManifest(directory), more);
});

test('each mistake is named with its place', async () => {
  const { manifest, message } = await robot();
  const [first, second] = manifest.channels;
  const cases: [unknown, RegExp][] = [
    ['', /is not JSON/],
    ['{"format": 1', /is not JSON/],
    [[], /has \[\], an object is expected/],
    [{ ...manifest, format: 2 }, /has format 2, this runtime reads 1/],
    [{ ...manifest, build: 7 }, /has 7 at build, a text is expected/],
    [{ ...manifest, devices: undefined }, /has nothing at devices, a list is expected/],
    [{ ...manifest, devices: ['robot', 'server', 'robot'] }, /names a device twice/],
    [{ ...manifest, device: 'camera' }, /names camera, which is not in its devices/],
    [{ ...manifest, inputs: [{ name: 'x', dtype: 'float32', shape: [1, -4] }] }, /has -4 at inputs\[0\].shape\[1\]/],
    [{ ...manifest, channels: [first, first] }, /two channels of one id/],
    [{ ...manifest, channels: [{ ...second, to: 'server' }] }, /channel 1, which is not its own/],
    [{ ...manifest, files: {} }, /has no sha256 of segments\/0.onnx/],
    [{ ...manifest, files: { '../secret': 'a'.repeat(64) } }, /leaves its folder at files: ..\/secret/],
    [{ ...manifest, files: { 'a.bin': 'short' } }, /has no sha256 at files\["a.bin"\]/],
    [{ ...manifest, segments: [{ file: '/etc/x', inputs: [], outputs: [] }] }, /leaves its folder at segments\[0\]/],
    [{ ...manifest, threads: 1.5 }, /has 1.5 at threads, a whole number is expected/],
    [{ ...manifest, providers: 'cuda' }, /has "cuda" at providers, a list is expected/],
    [{ ...manifest, providers: [0] }, /has 0 at providers\[0\], a text is expected/],
  ];
  for (const [content, pattern] of cases) assert.match(await message(content), pattern);
});

test('anything else is an error too, and no crash', async () => {
  const { directory, file, manifest } = await robot();
  const path = fc.constantFrom(...Object.keys(manifest));
  await fc.assert(
    fc.asyncProperty(path, fc.jsonValue(), async (key, value) => {
      await writeFile(file, JSON.stringify({ ...manifest, [key]: value }));
      await readDeviceManifest(directory).catch((error) => assert.instance(error, ShardonnxError));
    }),
  );
});

test('who calls whom: the later of two listens, the holder of the inputs reaches all', async () => {
  const build = await writeBuild(LINE);
  const of = async (device: string) => {
    const manifest = await readDeviceManifest(join(build, device));
    return { peers: peersOf(manifest), callers: callersOf(manifest), listeners: listenersOf(manifest) };
  };
  assert.equal(await of('server'), { peers: ['robot'], callers: [], listeners: ['robot'] });
  assert.equal(await of('robot'), { peers: ['server', 'screen'], callers: ['server'], listeners: ['screen'] });
  assert.equal(await of('screen'), { peers: ['robot'], callers: ['robot'], listeners: [] });
});

test.run();
