/** Writes one device's folder: segments, weights, program, runtime. Its device.json is written once the build has a digest. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cluster, ClusterDevice } from '../compiler/cluster/cluster.ts';
import { type Program, tensorOf, wholeValue } from '../compiler/ir/program.ts';
import type { DeviceSchedule, Schedule } from '../compiler/planning/schedule.ts';
import { version } from '../compiler/version.ts';
import type { ChannelSpec, DeviceManifest, SegmentSpec } from '../runtime/manifest.ts';
import { eraseTypes, programSource } from './program-source.ts';
import { runtimeDependencies, runtimeJavaScript, runtimeTypes } from './runtime-source.ts';
import { segmentModel, specOf } from './segment-model.ts';
import { WeightsFile } from './weights-file.ts';

const MAIN = `import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { program } from './program.js';
import { main } from './runtime.js';

await main({ directory: dirname(fileURLToPath(import.meta.url)), program });
`;

/** Beside the segments: onnxruntime refuses external data outside a model's folder. */
const WEIGHTS = 'segments/weights.bin';

/** Execution providers whose libraries onnxruntime-node downloads when it is installed. */
const NVIDIA: readonly string[] = ['cuda', 'tensorrt'];

export type DeviceContents = Pick<DeviceManifest, 'segments' | 'files'>;

export const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** @param wrote told of each segment */
async function writeSegments(folder: string, program: Program, own: DeviceSchedule, wrote: () => void) {
  await mkdir(join(folder, 'segments'), { recursive: true });
  const weights = await WeightsFile.create(join(folder, WEIGHTS));
  const segments: SegmentSpec[] = [];
  const files: Record<string, string> = {};
  try {
    for (const step of own.steps) {
      if (step.kind !== 'segment') continue;
      const { bytes, inputs, outputs } = await segmentModel(program, step, weights, basename(WEIGHTS));
      const file = `segments/${step.index}.onnx`;
      await writeFile(join(folder, file), bytes);
      files[file] = sha256(bytes);
      segments.push({ file, inputs, outputs });
      wrote();
    }
  } finally {
    files[WEIGHTS] = await weights.close();
  }
  return { segments, files, weightBytes: weights.size };
}

/** Every file of the folder that is a text, by name. */
async function textsOf(
  schedule: Schedule,
  own: DeviceSchedule,
  { providers }: ClusterDevice,
): Promise<Record<string, string>> {
  const source = programSource(schedule, own);
  return {
    'program.ts': source,
    'program.js': eraseTypes(source),
    'main.js': MAIN,
    ...(await runtimeJavaScript()),
    'runtime.d.ts': await runtimeTypes(),
    // Libraries for NVIDIA's GPUs weigh hundreds of MB: only for who asks for them.
    '.npmrc': providers?.some((name) => NVIDIA.includes(name)) ? '' : 'onnxruntime-node-install=skip\n',
    'package.json': json({
      name: `${own.device.toLowerCase()}-bundle`,
      version,
      private: true,
      type: 'module',
      engines: { node: '>=20' },
      scripts: { start: 'node main.js' },
      dependencies: runtimeDependencies(),
    }),
  };
}

/** What device.json says of this device, beside the build's digest. */
export function deviceManifest(
  { program, channels, devices }: Schedule,
  cluster: Cluster,
  { name: device, threads, providers }: ClusterDevice,
  contents: DeviceContents,
): Omit<DeviceManifest, 'build'> {
  const { inputs, outputs } = program.placement!;
  const specs = (tensors: readonly string[]) =>
    tensors.map((name) => specOf(program, wholeValue(tensorOf(program, name))));
  const endpoints = Object.fromEntries(
    cluster.devices.flatMap(({ name, endpoint }) => (endpoint ? [[name, endpoint]] : [])),
  );
  return {
    format: 1,
    device,
    devices: devices.map((other) => other.device),
    inputs: specs(device === inputs ? program.inputs : []),
    outputs: specs(device === outputs ? program.outputs : []),
    inputDevice: inputs,
    outputDevice: outputs,
    channels: channels
      .filter(({ from, to }) => from === device || to === device)
      .map(({ id, from, to, value }): ChannelSpec => ({ id, from, to, ...specOf(program, value) })),
    ...contents,
    ...(Object.keys(endpoints).length > 0 ? { endpoints } : {}),
    threads: threads ?? null,
    ...(providers && { providers }),
  };
}

/** @param wrote told of each segment */
export async function writeDevice(
  folder: string,
  schedule: Schedule,
  own: DeviceSchedule,
  described: ClusterDevice,
  wrote: () => void,
): Promise<DeviceContents & { readonly weightBytes: number }> {
  const { segments, files, weightBytes } = await writeSegments(folder, schedule.program, own, wrote);
  for (const [name, text] of Object.entries(await textsOf(schedule, own, described))) {
    await writeFile(join(folder, name), text);
    files[name] = sha256(text);
  }
  return { segments, files, weightBytes };
}
