/** onnxruntime alone on a whole model, as a process that can be kept to cores. */
import { fileURLToPath } from 'node:url';
import { isDType, onnxruntime, randomTensor } from '../../runtime/index.ts';
import type { FromFeeder, ToFeeder } from './feeder.ts';
import { backToBack } from './measure.ts';

const self = fileURLToPath(import.meta.url);

/** What Node is called with; the process is told to measure as a feeder is. */
export const plainArguments = (model: string, threads: number): string[] => [
  ...process.execArgv,
  self,
  model,
  String(threads),
];

const say = (message: FromFeeder): void => void process.send?.(message);

async function run(model: string, threads: number): Promise<void> {
  process.on('disconnect', () => process.exit(1));
  const ort = onnxruntime();
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  const inputs = session.inputMetadata.map((value) => {
    if (!value.isTensor || !isDType(value.type)) throw new Error(`${value.name} is no tensor of numbers`);
    const shape = value.shape.map((size) => (typeof size === 'number' ? size : 1));
    const { type, data, dims } = randomTensor({ name: value.name, dtype: value.type, shape }, 1);
    return [value.name, new ort.Tensor(type, data, dims)] as const;
  });
  const block = backToBack(() => session.run(Object.fromEntries(inputs)));
  process.on('message', async (message: ToFeeder) => {
    if (message.type === 'measure') say({ type: 'measured', ms: await block(message.seconds) });
  });
  say({ type: 'ready' });
}

const [, file, model, threads] = process.argv;
if (file === self && model !== undefined) await run(model, Number(threads));
