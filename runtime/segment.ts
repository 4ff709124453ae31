/** A device's onnxruntime sessions. */
import { join } from 'node:path';
import type * as Ort from 'onnxruntime-node';
import { arrayOver, isArrayOf, isDType } from './dtype.ts';
import { ShardonnxError } from './error.ts';
import { keepHeap } from './heap.ts';
import type { DeviceManifest, SegmentSpec, TensorSpec } from './manifest.ts';
import { onnxruntime } from './modules.ts';
import type { Tensor } from './program.ts';

export interface Segment {
  readonly spec: SegmentSpec;
  /** Tensors in the order of the spec. Nothing is copied in JavaScript. @throws segment-failed */
  run(inputs: readonly Tensor[]): Promise<Tensor[]>;
  release(): Promise<void>;
}

/** @param threads onnxruntime's; null for its default. @throws segment-failed, provider-missing */
export async function loadSegments(
  directory: string,
  manifest: DeviceManifest,
  threads: number | null,
): Promise<Segment[]> {
  const ort = onnxruntime();
  const segments: Segment[] = [];
  if (manifest.segments.length > FEW) keepHeap();
  const options = { ...sessionOptions(threads, manifest.segments.length), ...providersOf(ort, manifest) };
  for (const spec of manifest.segments) segments.push(await load(ort, directory, manifest.device, spec, options));
  return segments;
}

async function load(
  ort: typeof Ort,
  directory: string,
  device: string,
  spec: SegmentSpec,
  options: Ort.InferenceSession.SessionOptions,
): Promise<Segment> {
  const failed = (what: string, cause: unknown) => segmentFailed(device, spec.file, what, cause);
  const session = await ort.InferenceSession.create(join(directory, spec.file), options).catch((cause) => {
    throw failed('cannot be loaded', cause);
  });
  if (!fits(spec.inputs, session.inputMetadata) || !fits(spec.outputs, session.outputMetadata)) {
    throw failed('has other inputs or outputs than device.json says', undefined);
  }
  const fetches = spec.outputs.map(({ name }) => name);
  return {
    spec,
    async run(inputs) {
      // No prototype: a tensor may be called __proto__.
      const feeds: Record<string, Ort.Tensor> = Object.create(null);
      try {
        spec.inputs.forEach(({ name }, i) => {
          feeds[name] = toOrt(ort, inputs[i]);
        });
        const results = await session.run(feeds, fetches);
        return fetches.map((name) => fromOrt(results[name]));
      } catch (cause) {
        throw failed('failed', cause);
      }
    },
    release: () => session.release(),
  };
}

/** Whether a session has exactly these inputs or outputs. Programs rely on the dtypes. */
function fits(specs: readonly TensorSpec[], values: readonly Ort.InferenceSession.ValueMetadata[]): boolean {
  const found = new Map(values.flatMap((value) => (value.isTensor ? [[value.name, value.type]] : [])));
  return found.size === specs.length && specs.every(({ name, dtype }) => found.get(name) === dtype);
}

/** Of a device whose sessions keep an arena each. */
const FEW = 8;

/**
 * onnxruntime's defaults for a device of one segment. With several sessions in a process:
 * - Every session's thread pool goes on spinning after its run and starves the next one's: with 2 threads, 20 chained 3×3
 *   convolutions of 64 channels took 78 ms, without spinning 5.4 ms, and 7.6 ms where other processes want the cores too.
 *   `session.force_spinning_stop` gives 5.1 ms, but 50 ms where others do. Inside one session of 20 convolutions spinning made no
 *   difference that could be told.
 * - Every session keeps its own arena, which the next one's kernels do not find in caches: the same 20 took 105 ms without arenas
 *   instead of 112 ms on maps of 112×112, and 230 MB instead of 405 MB. A few long sessions are the faster for it: 106 ms
 *   instead of 120 ms for the text detector in five, 77 instead of 83 for most of DenseNet-121 in six.
 * - A plan of a session's memory (`enableMemPattern`) asks for one block for all of a run; glibc's heap has none above 32 MiB.
 */
export function sessionOptions(threads: number | null, segments: number): Ort.InferenceSession.SessionOptions {
  const common = { logSeverityLevel: 3, ...(threads !== null && { intraOpNumThreads: threads }) } as const;
  if (segments === 1) return common;
  const several = { ...common, extra: { session: { intra_op: { allow_spinning: '0' } } } };
  return segments <= FEW ? several : { ...several, enableCpuMemArena: false, enableMemPattern: false };
}

/** onnxruntime would go on without a provider it does not know: slower than planned, and only a warning says so. */
function providersOf(ort: typeof Ort, { device, providers }: DeviceManifest): Ort.InferenceSession.SessionOptions {
  if (!providers) return {};
  const known = ort.listSupportedBackends().map(({ name }) => name);
  const missing = providers.find((name) => !known.includes(name));
  if (missing === undefined) return { executionProviders: providers };
  const message = `${device} is to use ${missing}, and onnxruntime-node has ${known.join(', ')} here`;
  throw new ShardonnxError('provider-missing', message, {
    at: [`device ${device}`],
    hint: 'change the providers of the device in the cluster file and compile again',
  });
}

function toOrt(ort: typeof Ort, tensor: Tensor | undefined): Ort.Tensor {
  if (!tensor) throw new Error('an input is missing');
  return new ort.Tensor(tensor.type, tensor.data, tensor.dims);
}

function fromOrt(tensor: Ort.Tensor | undefined): Tensor {
  if (!tensor) throw new Error('an output is missing');
  const { type, dims, data } = tensor;
  if (!isDType(type)) throw new Error(`${type} is not supported`);
  // Where JavaScript has Float16Array, onnxruntime gives that; a program sees raw bits everywhere.
  if (type === 'string' || Array.isArray(data) || isArrayOf(type, data)) return { type, dims, data };
  return { type, dims, data: arrayOver(type, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) };
}

function segmentFailed(device: string, file: string, what: string, cause: unknown): ShardonnxError {
  const why = cause instanceof Error ? `: ${cause.message.trim()}` : '';
  return new ShardonnxError('segment-failed', `${file} ${what}${why}`, { at: [`device ${device}`, file], cause });
}
