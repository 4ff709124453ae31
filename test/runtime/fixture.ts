/** Builds by hand, of tiny models: what codegen writes, without codegen. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import proto from 'onnx-proto';
import { runtimeJavaScript } from '../../codegen/runtime-source.ts';
import { onnxNumber } from '../../runtime/dtype.ts';
import type { ChannelSpec, DeviceManifest, TensorSpec } from '../../runtime/manifest.ts';

/** `out = in (op) weight`; `weight` is held in segments/weights.bin. */
export interface FixtureSegment {
  readonly op: 'Add' | 'Mul';
  readonly weight: readonly number[];
}

export interface FixtureDevice {
  readonly segments: readonly FixtureSegment[];
  /** Body of the program, with `device` and `inputs`. */
  readonly program: string;
}

export interface Fixture {
  readonly devices: Readonly<Record<string, FixtureDevice>>;
  readonly channels: readonly ChannelSpec[];
  readonly inputDevice: string;
  readonly outputDevice: string;
  readonly build?: string;
}

const WIDTH = 4;
export const x: TensorSpec = { name: 'x', dtype: 'float32', shape: [1, WIDTH] };
export const y: TensorSpec = { name: 'y', dtype: 'float32', shape: [1, WIDTH] };
export const channel = (id: number, from: string, to: string, name = `t${id}`): ChannelSpec => ({
  ...x,
  id,
  name,
  from,
  to,
});

/** y = (2 x + [1, 2, 3, 4]) · 10: robot doubles, server adds, robot multiplies. */
export const ROUND_TRIP: Fixture = {
  devices: {
    robot: {
      segments: [
        { op: 'Mul', weight: [2, 2, 2, 2] },
        { op: 'Mul', weight: [10, 10, 10, 10] },
      ],
      program: `
        const [h] = await device.segment(0, [inputs.x]);
        device.send('server', 0, h);
        const z = await device.receive('server', 1);
        const [y] = await device.segment(1, [z]);
        return { y };`,
    },
    server: {
      segments: [{ op: 'Add', weight: [1, 2, 3, 4] }],
      program: `
        const h = await device.receive('robot', 0);
        const [z] = await device.segment(0, [h]);
        device.send('robot', 1, z);
        return {};`,
    },
  },
  channels: [channel(0, 'robot', 'server'), channel(1, 'server', 'robot')],
  inputDevice: 'robot',
  outputDevice: 'robot',
};

/** The same function along a line: the middle device has the inputs, the last the outputs; first and last do not meet. */
export const LINE: Fixture = {
  devices: {
    server: {
      segments: [{ op: 'Add', weight: [1, 2, 3, 4] }],
      program: `
        const [z] = await device.segment(0, [await device.receive('robot', 0)]);
        device.send('robot', 1, z);
        return {};`,
    },
    robot: {
      segments: [{ op: 'Mul', weight: [2, 2, 2, 2] }],
      program: `
        const [h] = await device.segment(0, [inputs.x]);
        device.send('server', 0, h);
        device.send('screen', 2, await device.receive('server', 1));
        return {};`,
    },
    screen: {
      segments: [{ op: 'Mul', weight: [10, 10, 10, 10] }],
      program: `
        const [y] = await device.segment(0, [await device.receive('robot', 2)]);
        return { y };`,
    },
  },
  channels: [channel(0, 'robot', 'server'), channel(1, 'server', 'robot'), channel(2, 'robot', 'screen')],
  inputDevice: 'robot',
  outputDevice: 'screen',
};

export const given = (...values: number[]) => ({
  x: { type: 'float32' as const, dims: [1, WIDTH], data: Float32Array.from(values) },
});
export const expected = (...values: number[]) => values.map((value, i) => (2 * value + i + 1) * 10);

/** A fixture with one device's program replaced. */
export const withProgram = (fixture: Fixture, device: string, program: string): Fixture => ({
  ...fixture,
  devices: { ...fixture.devices, [device]: { segments: fixture.devices[device]?.segments ?? [], program } },
});

const made: string[] = [];

/** The folder of a complete build. */
export async function writeBuild(fixture: Fixture): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'shardonnx-runtime-'));
  made.push(directory);
  const digest = sha256(Buffer.from(JSON.stringify(fixture)));
  const names = Object.keys(fixture.devices);
  for (const name of names) await writeDevice(join(directory, name), name, fixture, fixture.build ?? digest);
  const bundle = { format: 1, build: fixture.build ?? digest, model: 'tiny', devices: names };
  await writeFile(join(directory, 'bundle.json'), JSON.stringify(bundle));
  return directory;
}

/** Call it after all tests of a file. */
export async function removeBuilds(): Promise<void> {
  await Promise.all(made.splice(0).map((directory) => rm(directory, { recursive: true, force: true })));
}

async function writeDevice(directory: string, name: string, fixture: Fixture, build: string): Promise<void> {
  const { segments, program } = fixture.devices[name] ?? { segments: [], program: '' };
  const contents = new Map<string, string | Uint8Array>([
    ['package.json', JSON.stringify({ type: 'module', private: true })],
    ['program.js', `export const program = async (device, inputs) => {${program}\n};\n`],
    ['main.js', MAIN],
    ...Object.entries(await runtimeJavaScript()),
  ]);
  const weights = segments.map(({ weight }) => Buffer.from(Float32Array.from(weight).buffer));
  if (segments.length > 0) contents.set('segments/weights.bin', Buffer.concat(weights));
  for (const [i, { op }] of segments.entries()) {
    contents.set(`segments/${i}.onnx`, segmentModel(op, i * WIDTH * 4));
  }
  const manifest: DeviceManifest = {
    format: 1,
    build,
    device: name,
    devices: Object.keys(fixture.devices),
    inputs: name === fixture.inputDevice ? [x] : [],
    outputs: name === fixture.outputDevice ? [y] : [],
    inputDevice: fixture.inputDevice,
    outputDevice: fixture.outputDevice,
    channels: fixture.channels.filter(({ from, to }) => from === name || to === name),
    segments: segments.map((_, i) => ({
      file: `segments/${i}.onnx`,
      inputs: [{ ...x, name: 'in' }],
      outputs: [{ ...x, name: 'out' }],
    })),
    files: Object.fromEntries([...contents].map(([path, content]) => [path, sha256(content)])),
    threads: null,
  };
  await mkdir(join(directory, 'segments'), { recursive: true });
  for (const [path, content] of contents) await writeFile(join(directory, path), content);
  await writeFile(join(directory, 'device.json'), JSON.stringify(manifest, null, 2));
}

const MAIN = `
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { main } from './runtime.js';
import { program } from './program.js';
await main({ directory: dirname(fileURLToPath(import.meta.url)), program });
`;

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

function segmentModel(op: string, offset: number): Uint8Array {
  const { TypeProto, TensorProto } = proto.onnx;
  const value = (name: string) => ({
    name,
    type: TypeProto.create({
      tensorType: {
        elemType: onnxNumber('float32'),
        shape: { dim: [{ dimValue: 1 }, { dimValue: WIDTH }] },
      },
    }),
  });
  const entry = (key: string, text: string | number) => ({ key, value: String(text) });
  return proto.onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'segment',
      node: [{ opType: op, input: ['in', 'weight'], output: ['out'] }],
      input: [value('in')],
      output: [value('out')],
      initializer: [
        {
          name: 'weight',
          dataType: onnxNumber('float32'),
          dims: [WIDTH],
          dataLocation: TensorProto.DataLocation.EXTERNAL,
          externalData: [entry('location', 'weights.bin'), entry('offset', offset), entry('length', WIDTH * 4)],
        },
      ],
    },
  }).finish();
}
