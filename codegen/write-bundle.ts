/** Writes a build folder: one folder a device with all it needs, and what all of them have in common. */
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Cluster } from '../compiler/cluster/cluster.ts';
import type { Program, Tensor } from '../compiler/ir/program.ts';
import { formatProgram } from '../compiler/ir/text.ts';
import { formatPlan, type Plan } from '../compiler/planning/plan.ts';
import type { Schedule } from '../compiler/planning/schedule.ts';
import type { WorkStep } from '../compiler/planning/simulation/workload.ts';
import { version } from '../compiler/version.ts';
import type { DeviceManifest, PlanSpec } from '../runtime/manifest.ts';
import { deployed } from './deploy/deployment.ts';
import { DEPLOY, type Engine, writeDeployments } from './deploy/write-deployments.ts';
import { replaceFolder } from './output-folder.ts';
import { NONE, renumbered, takenWith } from './renumber.ts';
import { deviceManifest, json, ownOf, sha256, writeDevice } from './write-device.ts';

/** What a build consists of beside the files of its devices. */
export interface Bundle {
  /** The first is the one to begin with; one of none but the holder of inputs and outputs is for when its peers are lost. */
  readonly plans: readonly BundlePlan[];
  readonly cluster: Cluster;
  /** Engines to write files for. */
  readonly deploy?: readonly Engine[] | undefined;
  /** Told which device's files are being written, and how many segments of all are. */
  readonly progress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface BundlePlan {
  readonly schedule: Schedule;
  readonly plan: Plan;
  /** Bytes per second of links, from and to, for which it is the best; null: for none of its own. */
  readonly bandwidth: readonly [number, number] | null;
}

export interface WrittenDevice {
  readonly device: string;
  readonly operators: number;
  readonly segments: number;
  /** Bytes of weights.bin; weights below a KiB lie in the segments. */
  readonly weightBytes: number;
}

const numbered = ({ kind, id }: WorkStep) => (kind === 'segment' ? { segment: id } : { channel: id });

/** The workload, which `simulate` reads, and when what of it is predicted to happen. */
const timeline = ({ devices, channels, makespan, workload }: Schedule) => ({
  makespan,
  devices: devices.map(({ times, weightBytes, peakBytes }, i) => {
    const { device, power, steps } = workload.devices[i]!;
    return {
      device,
      weightBytes,
      peakBytes,
      power,
      steps: steps.map((step, n) => ({ ...step, ...numbered(step), ...times[n]! })),
    };
  }),
  channels: channels.map(({ transfer, hidden, hiddenBy }, i) => ({
    ...workload.channels[i]!,
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

/** Devices that take part in a plan. */
const participants = ({ schedule: { program, devices } }: BundlePlan): string[] => {
  const { inputs, outputs } = program.placement!;
  return devices.flatMap(({ device, steps }) =>
    steps.length > 0 || device === inputs || device === outputs ? [device] : [],
  );
};

/** What device.json says of plans, where there are several: names are unique. */
const planSpecs = (plans: readonly BundlePlan[]): PlanSpec[] =>
  plans.map((one, i) => {
    const twice = plans.some(({ plan }, k) => k !== i && plan.policy === one.plan.policy);
    const name = twice ? `${one.plan.policy} (${i + 1})` : one.plan.policy;
    return { name, devices: participants(one), bandwidth: one.bandwidth, seconds: one.schedule.makespan };
  });

/** Schedules whose channels and segments do not share a number. */
function sideBySide(plans: readonly BundlePlan[]): Schedule[] {
  let taken = NONE;
  return plans.map((one) => {
    const schedule = renumbered(one.schedule, taken);
    taken = takenWith(taken, schedule);
    return schedule;
  });
}

/** The texts beside the folders of the devices, by name. */
const TEXTS: Readonly<Record<string, (plan: BundlePlan) => string>> = {
  'plan.json': ({ plan }) => formatPlan(plan),
  'program.ir': ({ schedule }) => formatProgram(withoutFolders(schedule.program)),
  'timeline.json': ({ schedule }) => json(timeline(schedule)),
};
/** Of the first plan `plan.json`, of the second `plan-2.json`. */
const textName = (name: string, plan: number): string => (plan === 0 ? name : name.replace('.', `-${plan + 1}.`));
/** More plans than any build has. */
const MOST_PLANS = 100;
const TEXT_NAMES = Array.from({ length: MOST_PLANS }, (_, plan) =>
  Object.keys(TEXTS).map((name) => textName(name, plan)),
).flat();
/** What devices, digest and model a build has. */
const BUNDLE = 'bundle.json';

async function writeAll(folder: string, bundle: Bundle): Promise<WrittenDevice[]> {
  const { plans, cluster } = bundle;
  const schedules = sideBySide(plans);
  const specs = plans.length > 1 ? planSpecs(plans) : undefined;
  const { program, devices: all } = schedules[0]!;
  const written: WrittenDevice[] = [];
  const manifests: Omit<DeviceManifest, 'build'>[] = [];
  const total = schedules
    .flatMap(({ devices }) => devices)
    .flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'segment')).length;
  let done = 0;
  for (const { device } of all) {
    const described = cluster.devices.find(({ name }) => name === device)!;
    const wrote = () => bundle.progress?.(`writing ${device}`, ++done, total);
    const { weightBytes, ...contents } = await writeDevice(join(folder, device), schedules, described, wrote);
    manifests.push(deviceManifest(schedules, specs, cluster, described, contents));
    const operators = ownOf(schedules[0]!, device).steps.flatMap((step) =>
      step.kind === 'segment' ? step.operators : [],
    ).length;
    written.push({ device, operators, segments: contents.segments.length, weightBytes });
  }
  const texts = Object.fromEntries(
    plans.flatMap((one, i) => Object.entries(TEXTS).map(([name, text]) => [textName(name, i), text(one)])),
  );
  const build = sha256(JSON.stringify([manifests, texts]));
  const complete = manifests.map((manifest): DeviceManifest => ({ ...manifest, build }));
  for (const manifest of complete) await writeFile(join(folder, manifest.device, 'device.json'), json(manifest));
  if (bundle.deploy?.length) {
    const memory = (device: string) => cluster.devices.find(({ name }) => name === device)?.memory;
    await writeDeployments(folder, bundle.deploy, deployed(build, program.name, complete, memory));
  }
  for (const [name, text] of Object.entries(texts)) await writeFile(join(folder, name), text);
  const devices = manifests.map(({ device }) => device);
  const about = { format: 1, shardonnx: version, build, model: program.name, devices };
  await writeFile(join(folder, BUNDLE), json(about));
  return written;
}

/** @throws output-not-ours; a failure leaves the folder as it was */
export const writeBundle = (output: string, bundle: Bundle): Promise<WrittenDevice[]> =>
  replaceFolder(output, [BUNDLE, DEPLOY, ...TEXT_NAMES], (draft) => writeAll(draft, bundle));
