/** Writes a build folder: one folder a device with all it needs, in one go or not at all. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import type { Cluster } from '../compiler/cluster/cluster.ts';
import { CompileError } from '../compiler/error.ts';
import { type Program, type Tensor, tensorOf, wholeValue } from '../compiler/ir/program.ts';
import { formatProgram } from '../compiler/ir/text.ts';
import { formatPlan, type Plan } from '../compiler/planning/plan.ts';
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

/** What a build consists of beside the files of its devices. */
export interface Bundle {
  readonly schedule: Schedule;
  readonly plan: Plan;
  readonly cluster: Cluster;
  /** Told which device's files are being written, and how many segments of all are. */
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface WrittenDevice {
  readonly device: string;
  readonly operators: number;
  readonly segments: number;
  /** Bytes of weights.bin; weights below a KiB lie in the segments. */
  readonly weightBytes: number;
}

const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

/** Segments and weights of one device; the weights file's sha256. */
async function writeSegments(folder: string, bundle: Bundle, own: DeviceSchedule, wrote: () => void) {
  await mkdir(join(folder, 'segments'), { recursive: true });
  const weights = await WeightsFile.create(join(folder, WEIGHTS));
  const segments: SegmentSpec[] = [];
  let digest = '';
  try {
    for (const step of own.steps) {
      if (step.kind !== 'segment') continue;
      const { bytes, inputs, outputs } = await segmentModel(bundle.schedule.program, step, weights, basename(WEIGHTS));
      const file = `segments/${step.index}.onnx`;
      await writeFile(join(folder, file), bytes);
      segments.push({ file, inputs, outputs });
      wrote();
    }
  } finally {
    digest = await weights.close();
  }
  return { segments, digest, weightBytes: weights.size };
}

/** The files of one device, without device.json: its manifest still lacks the build's digest. */
async function writeDevice(folder: string, bundle: Bundle, own: DeviceSchedule, wrote: () => void) {
  const { program, channels } = bundle.schedule;
  const { device } = own;
  const described = bundle.cluster.devices.find(({ name }) => name === device);
  const { segments, digest, weightBytes } = await writeSegments(folder, bundle, own, wrote);
  const source = programSource(bundle.schedule, own);
  const texts: Record<string, string> = {
    'program.ts': source,
    'program.js': eraseTypes(source),
    'main.js': MAIN,
    'runtime.js': await runtimeJavaScript(),
    'runtime.d.ts': await runtimeTypes(),
    // Libraries for NVIDIA's GPUs weigh hundreds of MB: only for who asks for them.
    '.npmrc': described?.providers?.some((name) => NVIDIA.includes(name)) ? '' : 'onnxruntime-node-install=skip\n',
    'package.json': json({
      name: `${device.toLowerCase()}-bundle`,
      private: true,
      type: 'module',
      engines: { node: '>=20' },
      scripts: { start: 'node main.js' },
      dependencies: runtimeDependencies(),
    }),
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  const files: Record<string, string> = { [WEIGHTS]: digest };
  for (const name of [...Object.keys(texts), ...segments.map(({ file }) => file)].sort()) {
    files[name] = createHash('sha256')
      .update(await readFile(join(folder, name)))
      .digest('hex');
  }
  const whole = (wanted: boolean, tensors: readonly string[]) =>
    wanted ? tensors.map((name) => specOf(program, wholeValue(tensorOf(program, name)))) : [];
  const placement = program.placement!;
  const endpoints = Object.fromEntries(
    bundle.cluster.devices.flatMap(({ name, endpoint }) => (endpoint ? [[name, endpoint]] : [])),
  );
  const manifest: Omit<DeviceManifest, 'build'> = {
    format: 1,
    device,
    devices: bundle.schedule.devices.map((other) => other.device),
    inputs: whole(device === placement.inputs, program.inputs),
    outputs: whole(device === placement.outputs, program.outputs),
    inputDevice: placement.inputs,
    outputDevice: placement.outputs,
    channels: channels
      .filter(({ from, to }) => from === device || to === device)
      .map(({ id, from, to, value }): ChannelSpec => ({ id, from, to, ...specOf(program, value) })),
    segments,
    files,
    ...(Object.keys(endpoints).length > 0 ? { endpoints } : {}),
    threads: described?.threads ?? null,
    ...(described?.providers && { providers: described.providers }),
  };
  return { manifest, weightBytes };
}

const timeline = ({ devices, channels, makespan }: Schedule) => ({
  makespan,
  devices: devices.map(({ device, steps, times, weightBytes, peakBytes }) => ({
    device,
    weightBytes,
    peakBytes,
    steps: steps.map((step, i) => ({
      kind: step.kind,
      ...(step.kind === 'segment' ? { segment: step.index } : { channel: step.channel }),
      ...times[i]!,
    })),
  })),
  channels: channels.map(({ id, from, to, bytes, transfer, hidden, hiddenBy }) => ({
    id,
    from,
    to,
    bytes,
    ...transfer,
    hidden,
    hiddenBy,
  })),
});

/** The same model makes the same build wherever it lies: weights are named by their file alone. */
function withoutFolders(program: Program): Program {
  const tensors = [...program.tensors].map(([name, tensor]): [string, Tensor] => {
    if (tensor.role !== 'weight' || tensor.source.kind !== 'file') return [name, tensor];
    return [name, { ...tensor, source: { ...tensor.source, file: basename(tensor.source.file) } }];
  });
  return { ...program, tensors: new Map(tensors) };
}

async function writeAll(folder: string, bundle: Bundle): Promise<WrittenDevice[]> {
  const { schedule, plan } = bundle;
  const written: WrittenDevice[] = [];
  const manifests: Omit<DeviceManifest, 'build'>[] = [];
  const segments = schedule.devices.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'segment')).length;
  let done = 0;
  for (const own of schedule.devices) {
    const wrote = () => bundle.progress?.(`writing ${own.device}`, ++done, segments);
    const { manifest, weightBytes } = await writeDevice(join(folder, own.device), bundle, own, wrote);
    manifests.push(manifest);
    const operators = own.steps.flatMap((step) => (step.kind === 'segment' ? step.operators : [])).length;
    written.push({ device: own.device, operators, segments: manifest.segments.length, weightBytes });
  }
  const texts = {
    'plan.json': formatPlan(plan),
    'program.ir': formatProgram(withoutFolders(schedule.program)),
    'timeline.json': json(timeline(schedule)),
  };
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  const build = createHash('sha256')
    .update(JSON.stringify([manifests, texts]))
    .digest('hex');
  for (const manifest of manifests) {
    await writeFile(
      join(folder, manifest.device, 'device.json'),
      json({ ...manifest, build } satisfies DeviceManifest),
    );
  }
  const devices = manifests.map(({ device }) => device);
  await writeFile(
    join(folder, 'bundle.json'),
    json({ format: 1, shardonnx: version, build, model: schedule.program.name, devices }),
  );
  return written;
}

const bundleFile = z.object({ devices: z.array(z.string()) });

/** Whether `folder` may be replaced: absent, empty, or an earlier build. @throws output-not-ours */
async function checkOutput(folder: string): Promise<void> {
  const refuse = (what: string): never => {
    throw new CompileError('output-not-ours', `${folder} ${what}`, {
      hint: 'name another folder with -o, or empty this one yourself',
    });
  };
  const found = await stat(folder).catch(() => undefined);
  if (!found) return;
  if (!found.isDirectory()) refuse('is a file');
  const names = await readdir(folder);
  if (names.length === 0) return;
  const devices = await readFile(join(folder, 'bundle.json'), 'utf8')
    .then((text) => bundleFile.parse(JSON.parse(text)).devices)
    .catch(() => refuse('is not empty and no build of shardonnx'));
  const ours = ['bundle.json', 'plan.json', 'program.ir', 'timeline.json', ...devices];
  const stranger = names.find((name) => !ours.includes(name));
  if (stranger) refuse(`holds "${stranger}", which no build of shardonnx has`);
}

/** Writes beside the target first and renames at the end, so that a failure leaves nothing. @throws output-not-ours */
export async function writeBundle(output: string, bundle: Bundle): Promise<WrittenDevice[]> {
  const target = resolve(output);
  await checkOutput(target);
  await mkdir(dirname(target), { recursive: true });
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(4).toString('hex')}`);
  try {
    await mkdir(draft);
    const written = await writeAll(draft, bundle);
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
    return written;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}
