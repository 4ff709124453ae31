/** The least that two devices can do together over loopback: one sends 16 floats, the other computes a Relu and sends them back. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { relu } from '../../fixtures/zoo/layers.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { killAll, Running } from '../runtime/process.ts';
import { startFeeder } from './feeder.ts';
import type { Block } from './measure.ts';
import { MeasuredProcess } from './measured-process.ts';

/** Two processes of the real runtime. Inferences are timed in the one that holds the input. @param folder is made */
export async function emptyStep(folder: string): Promise<{ block: Block; close: () => Promise<void> }> {
  mkdirSync(folder);
  const graph = new Builder('empty-step');
  graph.output(relu(graph, graph.input('x', [1, 16]), 'relu'), 'y');
  const model = join(folder, 'model.onnx');
  writeModel(graph.finish(), model);
  const cluster = parseCluster({
    devices: { left: { threads: 1 }, right: { threads: 1 } },
    links: [{ between: ['left', 'right'], bandwidth: '8 Gbit/s', latency: '0.1 ms' }],
  });
  const build = join(folder, 'build');
  await compile({ model, cluster, policy: 'whole:right', output: build });
  const server = new Running(build, 'right', ['--listen=tcp://127.0.0.1:*', '--threads=1']);
  const [, endpoint = ''] = await server.prints(/listening at (\S+)/);
  const feeder = await MeasuredProcess.of(
    startFeeder({ build, device: 'left', peers: { right: endpoint }, timeout: 60, inFlight: 4 }, () => {}),
  );
  const close = async () => {
    await feeder.end();
    await killAll();
  };
  return { block: feeder.block, close };
}
