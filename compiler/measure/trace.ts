/** A model that is run a few times, and how long each kernel took: onnxruntime's own profile of it. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor } from 'onnxruntime-node';
import { z } from 'zod';
import type { TensorSpec } from '../../runtime/manifest.ts';
import { onnxruntime } from '../../runtime/modules.ts';
import { randomTensor } from '../../runtime/random.ts';
import { sessionOptions } from '../../runtime/segment.ts';
import type { TilesModel } from './tile-model.ts';

export interface Kernel {
  /** E.g. `Conv`, `FusedGemm`, `ReorderInput`. */
  readonly type: string;
  readonly name: string;
  /** Seconds in each run, in order. */
  readonly seconds: readonly number[];
}

const SUFFIX = '_kernel_time';
/** onnxruntime writes `"node_index" : "3"`. */
const event = z.object({
  name: z.string().endsWith(SUFFIX),
  dur: z.number(),
  args: z.object({ op_name: z.string(), node_index: z.string() }),
});

/** Kernels in the order they run. */
function kernelsOf(trace: unknown): Kernel[] {
  const kernels = new Map<string, { type: string; name: string; seconds: number[] }>();
  for (const one of z.array(z.unknown()).parse(trace)) {
    const { success, data } = event.safeParse(one);
    if (!success) continue;
    const kernel = kernels.get(data.args.node_index) ?? {
      type: data.args.op_name,
      name: data.name.slice(0, -SUFFIX.length),
      seconds: [],
    };
    kernel.seconds.push(data.dur / 1e6);
    kernels.set(data.args.node_index, kernel);
  }
  return [...kernels.values()];
}

/** Random ones; those of the same shape share their bytes. */
export function feedsOf(inputs: readonly TensorSpec[]): Record<string, Tensor> {
  const ort = onnxruntime();
  const known = new Map<string, Tensor>();
  const feeds: Record<string, Tensor> = Object.create(null);
  for (const spec of inputs) {
    const key = `${spec.dtype} ${spec.shape}`;
    let tensor = known.get(key);
    if (!tensor) {
      const { type, data, dims } = randomTensor(spec, 1);
      tensor = new ort.Tensor(type, data, dims);
      known.set(key, tensor);
    }
    feeds[spec.name] = tensor;
  }
  return feeds;
}

export interface TraceOptions {
  readonly threads: number;
  /** Receives the model as `name`.onnx, and the trace, for as long as this takes. */
  readonly folder: string;
  readonly name: string;
  /** Called before each run. */
  readonly before?: () => void;
}

/** With the options of a device of a few segments. */
export async function traceRuns(model: TilesModel, runs: number, options: TraceOptions): Promise<Kernel[]> {
  const { threads, folder, name, before = () => {} } = options;
  const file = join(folder, `${name}.onnx`);
  await writeFile(file, model.bytes);
  const session = await onnxruntime().InferenceSession.create(file, {
    ...sessionOptions(threads, 2),
    // What it refuses is told by the error that it throws.
    logSeverityLevel: 4,
    enableProfiling: true,
    profileFilePrefix: join(folder, `${name}.trace`),
  });
  try {
    const feeds = feedsOf(model.inputs);
    for (let run = 0; run < runs; run++) {
      before();
      await session.run(feeds);
    }
    session.endProfiling();
  } finally {
    await session.release();
  }
  const trace = (await readdir(folder)).find((found) => found.startsWith(`${name}.trace`));
  if (!trace) throw new Error('onnxruntime wrote no profile');
  const text = await readFile(join(folder, trace), 'utf8');
  await rm(join(folder, trace));
  return kernelsOf(JSON.parse(text));
}
