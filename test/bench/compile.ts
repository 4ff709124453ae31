/** Import and lowering of a chain and a mesh of 1k, 4k, 16k operators: time and memory an operator, which must not grow. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { lower } from '../../compiler/lower.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { encodeModel } from '../../fixtures/zoo/write.ts';
import { flag, report, temporaryFolder } from './measure.ts';

const link = (a: string, b: string) => ({ between: [a, b], bandwidth: '1 Gbit/s', latency: '0.2 ms' });
const cluster = parseCluster({ devices: { a: {}, b: {} }, links: [link('a', 'b')] });

/** One operator after the other. */
function chain(size: number): Uint8Array {
  const g = new Builder('chain');
  let x = g.input('x', [1, 4, 16, 16]);
  for (let i = 0; i < size; i++) x = g.node(i % 2 ? 'Sigmoid' : 'Relu', [x], x, { name: `n${i}` });
  g.output(x, 'y');
  return encodeModel(g.finish());
}

/** Rows of a hundred operators; each reads two of the row before. */
function mesh(size: number): Uint8Array {
  const g = new Builder('mesh');
  const width = 100;
  const x = g.input('x', [1, 4, 16, 16]);
  // Different slopes: onnxruntime would merge equal operators.
  const slope = (i: number) => ({ alpha: { float: 0.01 * (i + 1) } });
  let row = Array.from({ length: width }, (_, i) =>
    g.node('LeakyRelu', [x], x, { name: `in${i}`, attributes: slope(i) }),
  );
  for (let made = width; made < size; made += width) {
    row = row.map((value, i) => g.node('Add', [value, row[(i + 1) % width]!], value, { name: `n${made + i}` }));
  }
  g.output(g.node('Sum', row, x, { name: 'sum' }), 'y');
  return encodeModel(g.finish());
}

const folder = temporaryFolder();
const heap = () => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
};

async function measure(shape: string, model: Uint8Array, size: number) {
  const file = join(folder, `${shape}-${size}.onnx`);
  writeFileSync(file, model);
  const before = heap();
  const begin = performance.now();
  const imported = await importModel(file);
  const read = performance.now();
  const plan = await makePlan(imported, cluster, 'spatial');
  const planned = performance.now();
  const { schedule } = lower(imported, { cluster, plan });
  const end = performance.now();
  const operators = imported.operators.length;
  const bytes = heap() - before;
  return {
    shape,
    operators,
    'import, µs/op': Math.round((1000 * (read - begin)) / operators),
    'plan, µs/op': Math.round((1000 * (planned - read)) / operators),
    'lower, µs/op': Math.round((1000 * (end - planned)) / operators),
    'memory, KiB/op': bytes / 1024 / operators,
    segments: schedule.devices.reduce(
      (sum, { steps }) => sum + steps.filter(({ kind }) => kind === 'segment').length,
      0,
    ),
  };
}

const sizes = [1000, 4000, 16000].filter((size) => size <= flag('--most', 16000));
const rows = [];
await measure('warm-up', chain(1000), 1000);
for (const [shape, build] of [['chain', chain] as const, ['mesh', mesh] as const]) {
  for (const size of sizes) rows.push(await measure(shape, build(size), size));
}
report(rows, 'spatial, two devices; figures an operator must not grow with the model');
