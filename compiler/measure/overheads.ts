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
import { type Handling, measureHandling } from './messages.ts';
import type { TilesModel } from './tile-model.ts';
import { feedsOf, type Kernel, traceRuns } from './trace.ts';

/** What convolutions pass on in the middle of a network; half of it lies in few rows. */
const SHAPE = [1, 64, 56, 56];
const HALF = [1, 64, 28, 56];
const RUNS = 40;
/** What a device may have: each finds what it alone uses as the others have left it. */
const SESSIONS = 16;
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

/** Models as a device has them, each to be run. */
async function withSessions<T>(
  models: readonly TilesModel[],
  { threads, folder }: Place,
  use: (runs: readonly (() => Promise<unknown>)[]) => Promise<T>,
): Promise<T> {
  const files = models.map((_, i) => join(folder, `timed${i}.onnx`));
  const sessions = await Promise.all(
    models.map(async ({ bytes }, i) => {
      await writeFile(files[i]!, bytes);
      return onnxruntime().InferenceSession.create(files[i]!, sessionOptions(threads, 2));
    }),
  );
  const feeds = models.map(({ inputs }) => feedsOf(inputs));
  const made = await use(sessions.map((session, i) => () => session.run(feeds[i]!)));
  for (const session of sessions) await session.release();
  for (const file of files) await rm(file);
  return made;
}

/** Seconds of runs of several models in turn; medians. */
const timeRuns = (models: readonly TilesModel[], place: Place, before: () => void): Promise<number[]> =>
  withSessions(models, place, async (runs) => {
    const seconds = runs.map((): number[] => []);
    for (let time = 0; time < WARM_UP + RUNS; time++) {
      for (const [i, run] of runs.entries()) {
        before();
        const begin = performance.now();
        await run();
        if (time >= WARM_UP) seconds[i]!.push((performance.now() - begin) / 1e3);
      }
    }
    return seconds.map((all) => quantile(all, 0.5));
  });

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

/** Of sessions that do nothing, in turn. */
const handling = (place: Place): Promise<Handling> =>
  withSessions(Array<TilesModel>(SESSIONS).fill(touching([1, 1, 1, 1], true)), place, (sessions) => {
    let next = 0;
    return measureHandling(() => sessions[next++ % SESSIONS]!(), leavesCore(place.threads, place.cores));
  });

export async function measureOverheads(place: Place): Promise<Pick<Profile, 'session' | 'messages' | 'memory'>> {
  const [alone] = await timeRuns([touching([1, 1, 1, 1], true)], place, () => {});
  const [kept, all] = await timeRuns([touching(SHAPE, false), touching(SHAPE, true)], place, touchOther(ALL_SESSIONS));
  const { session, messages } = await handling(place);
  return {
    session: { after: session, alone: alone!, outputs: bytesOf(SHAPE) / Math.max(all! - kept!, all! / 100) },
    messages,
    memory: await memoryRates(place),
  };
}
