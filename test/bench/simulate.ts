/** The discrete-event simulator: events a second on task graphs of growing size, and layouts of a model predicted a second. */
import { join } from 'node:path';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { importModel } from '../../compiler/onnx/import.ts';
import { costsOf } from '../../compiler/planning/costs/costs.ts';
import { layerGraphOf } from '../../compiler/planning/layout/layers.ts';
import { predict } from '../../compiler/planning/layout/predict.ts';
import { Sketcher } from '../../compiler/planning/layout/sketch.ts';
import { TaskGraph } from '../../compiler/planning/simulation/events.ts';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { generator } from '../../runtime/random.ts';
import { flag, report, summarise, temporaryFolder } from './measure.ts';

const rounds = flag('--rounds', 9);
const RESOURCES = 12;

/** Half of the resources are devices, half links; every task waits for two of the hundred before it. */
function randomTasks(size: number): { graph: TaskGraph; events: number } {
  const random = generator(size);
  const below = (limit: number) => Math.floor(random() * limit);
  const graph = new TaskGraph(Array.from({ length: RESOURCES }, (_, i) => (i % 2 ? 'fifo' : 'priority')));
  let events = size;
  for (let task = 0; task < size; task++) {
    const resource = below(RESOURCES);
    const hasDelay = resource % 2 === 1;
    if (hasDelay) events++;
    graph.add(resource, random(), below(100), hasDelay ? random() : 0);
    for (let i = 0; i < Math.min(2, task); i++) graph.depend(task, task - 1 - below(Math.min(100, task)));
  }
  return { graph, events };
}

/** Median seconds of a run, after one that does not count. */
function secondsOf(run: () => void): number {
  run();
  const times = Array.from({ length: rounds }, () => {
    const begin = performance.now();
    run();
    return (performance.now() - begin) / 1e3;
  });
  return summarise(times).median;
}

function simulated(size: number) {
  const { graph, events } = randomTasks(size);
  const seconds = secondsOf(() => graph.run());
  return { what: 'random tasks', size, ms: seconds * 1e3, 'a second': `${Math.round(events / seconds)} events` };
}

const cluster = parseCluster({
  devices: { a: {}, b: { speed: 3 } },
  links: [{ between: ['a', 'b'], bandwidth: '1 Gbit/s', latency: '0.2 ms' }],
});

async function predicted(name: string, allBands: readonly number[]) {
  const file = join(temporaryFolder(), `${name}.onnx`);
  writeModel(zoo[name]!.build({ batch: 1, sequence: 1 }), file);
  const program = await importModel(file);
  const graph = layerGraphOf(program, cluster, costsOf(program, cluster), { orientation: 'rows' });
  return allBands.map((bands) => {
    const layer = { borders: [0.4], beyond: 'sent', bands } as const;
    const layout = new Sketcher(graph).layout({ layers: graph.layers.map(() => layer), downwards: false });
    const seconds = secondsOf(() => predict(graph, layout));
    const what = `${name}, ${graph.layers.length} layers, up to ${bands} bands a device`;
    return { what, size: layout.flat().length, ms: seconds * 1e3, 'a second': `${Math.round(1 / seconds)} layouts` };
  });
}

const rows = [1e3, 1e4, 1e5].map(simulated);
for (const name of ['squeezenet', 'densenet121']) rows.push(...(await predicted(name, [1, 8, 24])));
report(rows, `medians of ${rounds}; size: tasks, or pieces of layers`);
