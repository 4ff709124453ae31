/** The package as users get it: packed, installed into an empty folder, used from there. `npx tsx test/pack.ts`. */
import { spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { models } from '../fixtures/models.ts';
import { root } from './support/sources.ts';

const folder = mkdtempSync(join(tmpdir(), 'shardonnx-pack-'));
/** Installing takes a while on a slow line. */
const DEADLINE_MS = 10 * 60_000;

/** Output of a command that must end with status 0. */
function execute(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: DEADLINE_MS });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `status ${status}`}\n${stdout}\n${stderr}`);
}
const shardonnx = (...args: string[]) => execute(folder, 'npx', '--no-install', 'shardonnx', ...args);
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
function equal(actual: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${a}, ${b} expected`);
}

const CLUSTER = `devices: { robot: { speed: 1 }, server: { speed: 3 } }
links: [{ between: [robot, server], bandwidth: 93 Mbit/s, latency: 2 ms }]
`;

/** What a user of the library writes: types are checked, then it runs. */
const PROGRAM = `import { type Cluster, compile, definePass, formatProgram, loadCluster, loadModel, openBundle, type Pass, type Plan } from 'shardonnx';

const cluster: Cluster = await loadCluster('cluster.yaml');
const program = await loadModel('model.onnx', { notice: (message: string) => console.error(message) });
const sends: number[] = [];
const count: Pass<'linked'> = definePass({
  name: 'count-sends',
  stage: 'linked',
  run(linked) {
    sends.push(linked.operators.filter(({ kind }) => kind === 'send').length);
    return linked;
  },
});
const { plan, schedule } = await compile({ model: 'model.onnx', cluster, policy: 'cut:fc2', passes: [count], output: 'library' });
const kept: Plan = plan;
const bundle = await openBundle('library', { transport: 'memory' });
const [input] = bundle.inputs;
const x = { type: 'float32', dims: input!.shape as number[], data: new Float32Array(4 * 64) } as const;
const { outputs } = await bundle.infer({ [input!.name]: x });
await bundle.close();
const text: string = formatProgram(program);
console.log(JSON.stringify({ stage: program.stage, lines: text.length > 100, sends, policy: kept.policy, channels: schedule.channels.length, dims: outputs.y!.dims }));
`;
/** Each mistake must be seen: types that are \`any\` would let it pass. */
const MISTAKES = `import { compile, definePass, loadModel } from 'shardonnx';
// @ts-expect-error a stage that there is not
definePass({ name: 'x', stage: 'finished', run: (program) => program });
// @ts-expect-error no cluster
await compile({ model: 'model.onnx', output: 'x' });
// @ts-expect-error the stage of an imported program
const stage: 'linked' = (await loadModel('model.onnx')).stage;
console.log(stage);
`;

/** Two bundles as the README deploys them: npm install, node main.js, each alone in its folder. */
function deploy(): void {
  const [robot, server] = ['robot', 'server'].map((device) => join(folder, 'elsewhere', device)) as [string, string];
  cpSync(join(folder, 'build'), join(folder, 'elsewhere'), { recursive: true });
  execute(robot, 'npm', 'install', '--no-audit', '--no-fund');
  symlinkSync(join(robot, 'node_modules'), join(server, 'node_modules'));
  const endpoint = `tcp://127.0.0.1:${20_000 + (process.pid % 20_000)}`;
  const other = spawn(process.execPath, ['main.js', '--listen', endpoint], { cwd: server, stdio: 'inherit' });
  try {
    execute(
      robot,
      process.execPath,
      'main.js',
      '--peer',
      `server=${endpoint}`,
      '--input',
      'x=random',
      '--output',
      'out',
    );
  } finally {
    other.kill();
  }
  if (!existsSync(join(robot, 'out', 'y.npy'))) throw new Error('no output was written');
}

const checks: Readonly<Record<string, () => void>> = {
  'npm pack and npm install': () => {
    const [packed] = JSON.parse(execute(root, 'npm', 'pack', '--json', '--pack-destination', folder));
    const files: string[] = packed.files.map(({ path }: { path: string }) => path);
    for (const file of [
      'README.md',
      'LICENSE',
      'package.json',
      'dist/compiler/cli/main.js',
      'dist/compiler/index.d.ts',
    ]) {
      if (!files.includes(file)) throw new Error(`${file} is not in the package`);
    }
    const stray = files.find((file) => /(^|\/)(test|fixtures)\/|(?<!\.d)\.ts$/.test(file));
    if (stray) throw new Error(`${stray} is in the package`);
    write('package.json', JSON.stringify({ name: 'user', private: true, type: 'module' }));
    write('.npmrc', 'onnxruntime-node-install=skip\n');
    execute(folder, 'npm', 'install', '--no-audit', '--no-fund', packed.filename);
  },
  'shardonnx --version': () => {
    equal(shardonnx('--version').trim(), JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  },
  compile: () => {
    write('model.onnx', models.mlp());
    write('cluster.yaml', CLUSTER);
    const { ok, policy } = JSON.parse(
      shardonnx('compile', 'model.onnx', '-c', 'cluster.yaml', '-o', 'build', '--json'),
    );
    equal([ok, policy], [true, 'spatial']);
  },
  verify: () => equal(JSON.parse(shardonnx('verify', 'build', 'model.onnx', '--json')).ok, true),
  'run, one process a device': () => {
    const { ok, verified } = JSON.parse(shardonnx('run', 'build', '--verify', 'model.onnx', '--json'));
    equal([ok, verified[0].ok], [true, true]);
  },
  'bundles on devices of their own': deploy,
  'a pass of one’s own': () => {
    copyFileSync(join(root, 'fixtures/passes/keep-home.ts'), join(folder, 'keep-home.ts'));
    const args = ['compile', 'model.onnx', '-c', 'cluster.yaml', '--pass', 'keep-home.ts', '-o', 'kept', '--json'];
    equal(JSON.parse(shardonnx(...args, '--policy', 'whole:robot')).ok, true);
  },
  'types of the library': () => {
    write('user.ts', PROGRAM);
    write('mistakes.ts', MISTAKES);
    // Declarations are checked too; those of onnxruntime-node name things of the DOM.
    const compilerOptions = {
      strict: true,
      target: 'es2022',
      lib: ['es2023', 'dom'],
      module: 'nodenext',
      outDir: 'out',
    };
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['user.ts', 'mistakes.ts', 'keep-home.ts'] }));
    execute(folder, process.execPath, join(root, 'node_modules/typescript/bin/tsc'));
  },
  'the library': () => {
    const said = JSON.parse(execute(folder, process.execPath, 'out/user.js'));
    equal(said, { stage: 'imported', lines: true, sends: [2], policy: 'cut:fc2', channels: 2, dims: [4, 10] });
  },
};

let [passed, failed] = [0, 0];
try {
  const reached = spawnSync('npm', ['view', 'onnx-proto', 'version', '--fetch-retries=0'], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (reached.status !== 0) console.log(`skipped: the package registry cannot be reached\n${reached.stderr.trim()}`);
  for (const [name, check] of reached.status === 0 ? Object.entries(checks) : []) {
    try {
      check();
      passed += 1;
      console.log(`ok   ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${error instanceof Error ? error.message : error}`);
      // Nothing can be used that is not installed.
      if (passed === 0) break;
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0) process.exitCode = 1;
