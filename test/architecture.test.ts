/** How the project hangs together: imports point down, files stay small, every test runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alg, Graph } from '@dagrejs/graphlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { root, sources } from './support/sources.ts';

const test = suite('architecture');

/** Part of the project → the parts it may import; a part is a folder, or a file beside the folders of compiler/. */
const below: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  'compiler/error.ts': ['runtime'],
  'compiler/issues.ts': [],
  'compiler/version.ts': [],
  'compiler/compare.ts': ['runtime'],
  'compiler/reference.ts': ['compiler/error.ts', 'runtime'],
  'compiler/ir': ['compiler/error.ts', 'runtime'],
  'compiler/onnx': ['compiler/ir', 'compiler/error.ts', 'runtime'],
  'compiler/operators': ['compiler/onnx', 'compiler/ir', 'compiler/error.ts', 'runtime'],
  'compiler/profile': ['compiler/error.ts', 'compiler/issues.ts'],
  'compiler/cluster': ['compiler/profile', 'compiler/error.ts', 'compiler/issues.ts'],
  'compiler/planning': [
    'compiler/operators',
    'compiler/onnx',
    'compiler/ir',
    'compiler/cluster',
    'compiler/profile',
    'compiler/error.ts',
    'compiler/issues.ts',
    'runtime',
  ],
  'compiler/pass.ts': ['compiler/planning', 'compiler/cluster', 'compiler/ir'],
  passes: [
    'compiler/pass.ts',
    'compiler/planning',
    'compiler/operators',
    'compiler/cluster',
    'compiler/ir',
    'compiler/error.ts',
    'runtime',
  ],
  codegen: [
    'compiler/planning',
    'compiler/onnx',
    'compiler/ir',
    'compiler/cluster',
    'compiler/error.ts',
    'compiler/version.ts',
    'runtime',
  ],
  'compiler/measure': [
    'codegen',
    'compiler/planning',
    'compiler/operators',
    'compiler/onnx',
    'compiler/ir',
    'compiler/profile',
    'compiler/error.ts',
    'runtime',
  ],
};
const product = sources.filter(({ file }) => /^(compiler|passes|codegen|runtime)\//.test(file));
const partOf = (file: string) =>
  file.startsWith('compiler/') ? file.split('/').slice(0, 2).join('/') : file.split('/')[0]!;
const isOurs = (to: string) => to.endsWith('.ts');

test('imports point down', () => {
  for (const { file, imports } of product) {
    const part = partOf(file);
    const allowed = below[part];
    if (!allowed) {
      // What puts all together may import all but the commands; the commands all but what that puts together.
      const files = ['compile', 'lower', 'policies', 'bandwidths', 'several-plans', 'encode', 'rehearsal', 'index'];
      const whole = [...files.map((name) => `compiler/${name}.ts`), 'compiler/cli'];
      assert.ok(whole.includes(part), `${part} has no place in the layers`);
    }
    for (const { to } of imports.filter(({ to }) => isOurs(to))) {
      const target = partOf(to);
      const fits = allowed
        ? target === part || allowed.includes(target)
        : part === 'compiler/cli'
          ? !['passes', 'codegen'].includes(target)
          : target !== 'compiler/cli';
      assert.ok(fits, `${file} imports ${to}`);
      assert.not.match(to, /^(test|fixtures)\//, `${file} imports ${to}`);
    }
  }
});

test('codegen loads nothing of the runtime but the names of dtypes', () => {
  for (const { file, imports } of product.filter(({ file: name }) => name.startsWith('codegen/'))) {
    for (const { to, typeOnly } of imports) {
      if (!to.startsWith('runtime/')) continue;
      assert.ok(typeOnly || to === 'runtime/dtype.ts', `${file} imports ${to}`);
    }
  }
});

test('a bundle carries the whole of what its programs see: runtime/program.ts imports nothing', () => {
  assert.equal(sources.find(({ file }) => file === 'runtime/program.ts')?.imports, []);
});

test('fixtures do not need the tests', () => {
  for (const { file, imports } of sources.filter(({ file: name }) => name.startsWith('fixtures/'))) {
    for (const { to } of imports) assert.not.match(to, /^test\//, `${file} imports ${to}`);
  }
});

test('nothing is loaded in a circle', () => {
  const graph = new Graph();
  for (const { file, imports } of sources) {
    for (const { to, typeOnly } of imports) if (isOurs(to) && !typeOnly) graph.setEdge(file, to);
  }
  assert.equal(alg.findCycles(graph), []);
});

test('packages are dependencies; the runtime needs two that bundles name, and some that runtime.js carries', () => {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const { file, imports } of product) {
    for (const { to } of imports.filter((one) => !isOurs(one.to) && !one.to.startsWith('node:'))) {
      assert.ok(to in dependencies, `${file} imports ${to}`);
      if (file.startsWith('runtime/'))
        assert.ok(['onnxruntime-node', 'zeromq', 'pino', 'prom-client', 'yaml'].includes(to), `${file} imports ${to}`);
    }
  }
});

test('files are short, and typed', () => {
  for (const { file, text } of sources) {
    const lines = text.trimEnd().split('\n');
    assert.ok(lines.length <= (file.startsWith('test/') ? 500 : 400), `${file} has ${lines.length} lines`);
    const any = lines.findIndex((line) =>
      /(:|\bas|<) ?any\b(?! )/.test(line.replace(/(['"`/]).*\1|\/\/.*|^ ?\*.*/g, '')),
    );
    assert.is(any, -1, `${file}:${any + 1} says any`);
  }
});

test('every file says what it holds', () => {
  for (const { file, text } of product) {
    const first = text.replace(/^#!.*\n/, '').trimStart();
    assert.ok(first.startsWith('/**'), `${file} begins with what it holds`);
  }
});

test('every test file runs its tests', () => {
  const tests = sources.filter(({ file }) => file.endsWith('.test.ts'));
  assert.ok(tests.length > 20);
  for (const { file, text } of tests) assert.match(text, /\.run\(\);\s*$/m, file);
});

test.run();
