/** Compiles VGG-19 with real-size weights (575 MB, inside the model and beside it): time, and peak memory of the compiler. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zoo } from '../../fixtures/zoo/index.ts';
import { writeModel } from '../../fixtures/zoo/write.ts';
import { report, temporaryFolder } from './measure.ts';

const folder = temporaryFolder();
const clusterFile = join(folder, 'cluster.yaml');
writeFileSync(
  clusterFile,
  'devices:\n  left: {}\n  right: {}\nlinks:\n  - { between: [left, right], bandwidth: 1 Gbit/s }\n',
);
const root = fileURLToPath(new URL('../..', import.meta.url));

/** The command line in a process of its own, so that its memory can be told from ours. */
function compileIn(model: string, policy: string) {
  const output = join(folder, 'build');
  const script = `
    process.on('exit', () => process.stderr.write('PEAK ' + process.resourceUsage().maxRSS * 1024 + '\\n'));
    await import(${JSON.stringify(new URL('../../compiler/cli/main.ts', import.meta.url).href)});`;
  const begin = performance.now();
  const args = ['compile', model, '--cluster', clusterFile, '--policy', policy, '-o', output, '--json'];
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', script, 'shardonnx', ...args],
    { cwd: root, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  const devices: Record<string, { weightBytes: number }> = JSON.parse(stdout).devices;
  return {
    seconds: (performance.now() - begin) / 1000,
    peak: Number(/PEAK (\d+)/.exec(stderr)![1]),
    written: Object.values(devices).reduce((sum, { weightBytes }) => sum + weightBytes, 0),
  };
}

/** What copying as many bytes takes here. */
function copySeconds(file: string): number {
  const begin = performance.now();
  copyFileSync(file, join(folder, 'copy'));
  return (performance.now() - begin) / 1000;
}

const rows = [];
for (const external of [false, true]) {
  const model = join(folder, external ? 'external.onnx' : 'inside.onnx');
  writeModel(zoo.vgg19!.build({ batch: 1, sequence: 1 }), model, { external });
  const data = external ? `${model}.data` : model;
  for (const policy of ['cut:Flatten_1', 'spatial']) {
    const { seconds, peak, written } = compileIn(model, policy);
    const copy = (copySeconds(data) * written) / statSync(data).size;
    rows.push({
      weights: external ? 'external' : 'inside',
      policy: policy.split(':')[0]!,
      'compile, s': seconds,
      'copying as many bytes, s': copy,
      'written, MB': Math.round(written / 1e6),
      'peak memory, MB': Math.round(peak / 1e6),
    });
  }
}
report(rows, 'one process, two bundles; aim: peak memory below 1000 MB');
