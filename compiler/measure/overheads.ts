/** What a run of a session costs beside its operators: itself, what it hands over, memory that caches have forgotten, joins and cuts. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder } from '../../codegen/graph-builder.ts';
import type { TensorSpec } from '../../runtime/manifest.ts';
import { onnxruntime } from '../../runtime/modules.ts';
import { leavesCore } from '../../runtime/nap.ts';
import { sessionOptions } from '../../runtime/segment.ts';
import type { Region } from '../ir/region.ts';
import { wholeRegion } from '../ir/region.ts';
import { valueInfo } from '../onnx/encode.ts';
import { onnx } from '../onnx/proto.ts';
import type { Profile } from '../profile/profile.ts';
import { quantile } from './attribute.ts';
import { ALL_SESSIONS, ONE_SESSION, touchOther } from './caches.ts';
import { measureMessages } from './messages.ts';
import type { TilesModel } from './tile-model.ts';
import { feedsOf, type Kernel, traceRuns } from './trace.ts';

/** What convolutions pass on in the middle of a network; half of it lies in few rows. */
const SHAPE = [1, 64, 56, 56];
const HALF = [1, 64, 28, 56];
const RUNS = 40;
/** Bytes of other memory: about what a core's own caches hold, its share of the common one, more than that. */
const LEVELS = [ONE_SESSION, 4 * ONE_SESSION, ALL_SESSIONS];
const WARM_UP = 8;

const bytesOf = (shape: readonly number[]): number => 4 * shape.reduce((product, size) => product * size, 1);
const OPSET = 13;

function model(
  inputs: readonly (readonly number[])[],
  outputs: readonly (readonly number[])[],
  build: (graph: GraphBuilder) => void,
): TilesModel {
  const graph = new GraphBuilder(OPSET);
  build(graph);
  const spec =
    (letter: string) =>
    (shape: readonly number[], i: number): TensorSpec => ({ name: `${letter}${i}`, dtype: 'float32', shape });
  const given = inputs.map(spec('x'));
  const made = outputs.map(spec('y'));
  const info = ({ name, dtype, shape }: TensorSpec) => valueInfo(name, dtype, shape);
  const bytes = onnx.ModelProto.encode({
    irVersion: 8,
    producerName: 'shardonnx',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: 'overheads',
      node: graph.nodes,
      initializer: graph.initializers,
      input: given.map(info),
      output: made.map(info),
    },
  }).finish();
  return { bytes, inputs: given, outputs: made };
}

const firstElement = (shape: readonly number[]): Region => shape.map(() => [0, 1]);

/** x → Abs → an element of it, or all. */
const touching = (shape: readonly number[], all: boolean): TilesModel =>
  model([shape], [all ? shape : shape.map(() => 1)], (graph) => {
    graph.node('Abs', ['x0'], [all ? 'y0' : 'a']);
    if (!all) graph.slice('a', firstElement(shape), shape, 'y0');
  });

interface Place {
  readonly threads: number;
  readonly cores: number;
  readonly folder: string;
}

/** Seconds of runs as a device does them, of several models in turn; medians. */
async function timeRuns(
  models: readonly TilesModel[],
  { threads, folder }: Place,
  before: () => void,
): Promise<number[]> {
  const files = models.map((_, i) => join(folder, `timed${i}.onnx`));
  const sessions = await Promise.all(
    models.map(async ({ bytes, inputs }, i) => {
      await writeFile(files[i]!, bytes);
      const session = await onnxruntime().InferenceSession.create(files[i]!, sessionOptions(threads, 2));
      return { session, feeds: feedsOf(inputs), seconds: [] as number[] };
    }),
  );
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    for (const { session, feeds, seconds } of sessions) {
      before();
      const begin = performance.now();
      await session.run(feeds);
      if (run >= WARM_UP) seconds.push((performance.now() - begin) / 1e3);
    }
  }
  for (const { session } of sessions) await session.release();
  for (const file of files) await rm(file);
  return sessions.map(({ seconds }) => quantile(seconds, 0.5));
}

const secondsOf = ({ seconds }: Kernel): number => quantile(seconds.slice(WARM_UP), 0.5);

/** Two halves of rows are cut out and joined again, as assemble operators do. */
const cutAndJoined = (): TilesModel =>
  model([SHAPE], [SHAPE.map(() => 1)], (graph) => {
    const [top, bottom]: [Region, Region] = [
      wholeRegion(HALF),
      [
        [0, 1],
        [0, 64],
        [28, 56],
        [0, 56],
      ],
    ];
    graph.node('Abs', ['x0'], ['made']);
    graph.slice('made', top, SHAPE, 'top');
    graph.slice('made', bottom, SHAPE, 'bottom');
    graph.join(
      [
        { name: 'top', region: top },
        { name: 'bottom', region: bottom },
      ],
      { name: 'joined', region: wholeRegion(SHAPE) },
    );
    graph.slice('joined', firstElement(SHAPE), SHAPE, 'y0');
  });

/** The same session while caches hold its memory, and after more and more other memory was touched. */
async function memoryRates(place: Place): Promise<Profile['memory']> {
  const trace = (before: () => void) => traceRuns(cutAndJoined(), WARM_UP + RUNS, { ...place, name: 'memory', before });
  const sum = (kernels: readonly Kernel[]) => kernels.reduce((all, kernel) => all + secondsOf(kernel), 0);
  const bytes = bytesOf(SHAPE);
  const hot = await trace(() => {});
  const moving = hot.filter(({ type }) => ['Slice', 'Split', 'Concat'].includes(type));
  const cold: Profile['memory']['cold'] = [];
  for (const touched of LEVELS) {
    const more = sum(await trace(touchOther(touched))) - sum(hot);
    // The input, what is made of it, and at the same time its halves. More memory never makes it faster.
    cold.push({ touched, seconds: Math.max(more / (3 * bytes), cold.at(-1)?.seconds ?? 0) });
  }
  // Read as a whole and written as halves, then read as halves and written as a whole.
  return { copy: (4 * bytes) / sum(moving), cold };
}

export async function measureOverheads(place: Place): Promise<Pick<Profile, 'session' | 'messages' | 'memory'>> {
  const [afterOne, afterAll] = [touchOther(ONE_SESSION), touchOther(ALL_SESSIONS)];
  const nothing = [touching([1, 1, 1, 1], true)];
  const [alone] = await timeRuns(nothing, place, () => {});
  const [seconds] = await timeRuns(nothing, place, afterOne);
  const [kept, all] = await timeRuns([touching(SHAPE, false), touching(SHAPE, true)], place, afterAll);
  return {
    session: { seconds: seconds!, alone: alone!, outputs: bytesOf(SHAPE) / Math.max(all! - kept!, all! / 100) },
    messages: await measureMessages(afterOne, leavesCore(place.threads, place.cores)),
    memory: await memoryRates(place),
  };
}
