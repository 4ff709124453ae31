/** Writes one device's folder: segments, weights, program, runtime. Its device.json is written once the build has a digest. */
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cluster, ClusterDevice } from '../compiler/cluster/cluster.ts';
import { tensorOf, wholeValue } from '../compiler/ir/program.ts';
import type { DeviceSchedule, Schedule } from '../compiler/planning/schedule.ts';
import { version } from '../compiler/version.ts';
import type { ChannelSpec, DeviceManifest, PlanSpec, SegmentSpec } from '../runtime/manifest.ts';
import { eraseTypes, programSource } from './program-source.ts';
import { runtimeDependencies, runtimeJavaScript, runtimeTypes } from './runtime-source.ts';
import { segmentModel, specOf } from './segment-model.ts';
import { WeightsFile } from './weights-file.ts';

/** Of the first plan without a number. */
const numbered = (name: string, plan: number): string => (plan === 0 ? name : `${name}-${plan + 1}`);

/** @param plans how many there are */
function mainSource(plans: number): string {
  const all = Array.from({ length: plans }, (_, plan) => plan);
  const imports = all.map((plan) => {
    const what = plan === 0 ? 'program' : `program as program${plan + 1}`;
    return `import { ${what} } from './${numbered('program', plan)}.js';`;
  });
  const names = all.map((plan) => (plan === 0 ? 'program' : `program${plan + 1}`));
  return `import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
${imports.join('\n')}
import { main } from './runtime.js';

await main({ directory: dirname(fileURLToPath(import.meta.url)), ${plans === 1 ? 'program' : `program: [${names.join(', ')}]`} });
`;
}

/** Beside the segments: onnxruntime refuses external data outside a model's folder. */
const WEIGHTS = 'segments/weights.bin';

/** Execution providers whose libraries onnxruntime-node downloads when it is installed. */
const NVIDIA: readonly string[] = ['cuda', 'tensorrt'];

export type DeviceContents = Pick<DeviceManifest, 'segments' | 'files'>;

export const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

export const sha256 = (content: string | Uint8Array): string => createHash('sha256').update(content).digest('hex');

/** @param wrote told of each segment */
async function writeSegments(folder: string, device: string, schedules: readonly Schedule[], wrote: () => void) {
  await mkdir(join(folder, 'segments'), { recursive: true });
  const weights = await WeightsFile.create(join(folder, WEIGHTS));
  const segments: SegmentSpec[] = [];
  const files: Record<string, string> = {};
  try {
    for (const { program, step } of schedules.flatMap((schedule) => segmentsOf(schedule, device))) {
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

/** What one device does by a plan. */
export const ownOf = ({ devices }: Schedule, device: string): DeviceSchedule =>
  devices.find((own) => own.device === device)!;

const segmentsOf = (schedule: Schedule, device: string) =>
  ownOf(schedule, device).steps.flatMap((step) =>
    step.kind === 'segment' ? [{ program: schedule.program, step }] : [],
  );

/** Every file of the folder that is a text, by name. */
async function textsOf(
  schedules: readonly Schedule[],
  { name: device, providers }: ClusterDevice,
): Promise<Record<string, string>> {
  const programs = schedules.flatMap((schedule, plan) => {
    const source = programSource(schedule, ownOf(schedule, device));
    const name = numbered('program', plan);
    return [
      [`${name}.ts`, source],
      [`${name}.js`, eraseTypes(source)],
    ];
  });
  return {
    ...Object.fromEntries(programs),
    'main.js': mainSource(schedules.length),
    ...(await runtimeJavaScript()),
    'runtime.d.ts': await runtimeTypes(),
    // Libraries for NVIDIA's GPUs weigh hundreds of MB: only for who asks for them.
    '.npmrc': providers?.some((name) => NVIDIA.includes(name)) ? '' : 'onnxruntime-node-install=skip\n',
    'package.json': json({
      name: `${device.toLowerCase()}-bundle`,
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
  schedules: readonly Schedule[],
  /** Left out where there is one. */
  plans: readonly PlanSpec[] | undefined,
  cluster: Cluster,
  { name: device, threads, providers }: ClusterDevice,
  contents: DeviceContents,
): Omit<DeviceManifest, 'build'> {
  const { program, devices } = schedules[0]!;
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
    ...(plans && { plans }),
    channels: schedules.flatMap((schedule) =>
      schedule.channels
        .filter(({ from, to }) => from === device || to === device)
        .map(({ id, from, to, value }): ChannelSpec => ({ id, from, to, ...specOf(schedule.program, value) })),
    ),
    ...contents,
    ...(Object.keys(endpoints).length > 0 ? { endpoints } : {}),
    threads: threads ?? null,
    ...(providers && { providers }),
  };
}

/** @param wrote told of each segment */
export async function writeDevice(
  folder: string,
  schedules: readonly Schedule[],
  described: ClusterDevice,
  wrote: () => void,
): Promise<DeviceContents & { readonly weightBytes: number }> {
  const { segments, files, weightBytes } = await writeSegments(folder, described.name, schedules, wrote);
  for (const [name, text] of Object.entries(await textsOf(schedules, described))) {
    await writeFile(join(folder, name), text);
    files[name] = sha256(text);
  }
  return { segments, files, weightBytes };
}
