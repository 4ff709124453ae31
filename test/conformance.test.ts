/** The conformance runner: what it says about cases that pass, that differ, and that onnxruntime itself refuses. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { tensorProto } from '../compiler/onnx/encode.ts';
import { createNode, onnx } from '../compiler/onnx/proto.ts';

const folder = mkdtempSync(join(tmpdir(), 'shardonnx-test-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const floats = (name: string, values: readonly number[]) =>
  tensorProto(name, 'float32', [values.length], new Uint8Array(Float32Array.from(values).buffer));

/** Of free length. */
const vector = { type: { tensorType: { elemType: 1, shape: { dim: [{ dimParam: 'length' }] } } } };

interface Given {
  readonly type: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly expected: readonly number[];
  /** An initializer that is the default of this input. */
  readonly defaults?: Readonly<Record<string, readonly number[]>>;
}

/** A case of one node over vectors. */
function writeCase(name: string, { type, inputs, expected, defaults = {} }: Given): void {
  const data = join(folder, 'node', name, 'test_data_set_0');
  mkdirSync(data, { recursive: true });
  const graph = {
    name,
    node: [createNode({ opType: type, input: Object.keys(inputs), output: ['out'] })],
    input: Object.keys(inputs).map((input) => ({ ...vector, name: input })),
    output: [{ ...vector, name: 'out' }],
    initializer: Object.entries(defaults).map(([input, values]) => floats(input, values)),
  };
  const model = { irVersion: 8, opsetImport: [{ domain: '', version: 17 }], graph };
  writeFileSync(join(data, '..', 'model.onnx'), onnx.ModelProto.encode(model).finish());
  const write = (file: string, values: readonly number[]) =>
    writeFileSync(join(data, file), onnx.TensorProto.encode(floats(file, values)).finish());
  for (const [i, values] of Object.values(inputs).entries()) write(`input_${i}.pb`, values);
  write('output_0.pb', expected);
}

const runner = fileURLToPath(new URL('conformance/main.ts', import.meta.url));
function run(...flags: string[]) {
  const { status, stdout } = spawnSync(process.execPath, ['--import', 'tsx', runner, folder, '--json', ...flags], {
    encoding: 'utf8',
  });
  const result: unknown = JSON.parse(stdout);
  return { status, result: result as Record<string, number> & { cases: Record<string, unknown>[] } };
}

writeCase('neg', { type: 'Neg', inputs: { x: [1, 2, 3] }, expected: [-1, -2, -3] });
writeCase('wrong', { type: 'Exp', inputs: { x: [0, 0] }, expected: [1, 2] });
writeCase('refused', { type: 'NoSuchOperator', inputs: { x: [1] }, expected: [1] });
writeCase('fed', {
  type: 'Add',
  inputs: { x: [1, 2], y: [1, 1] },
  defaults: { y: [5, 5] },
  expected: [2, 3],
});

test('a case in parts on two devices counts as split', () => {
  const { status, result } = run('--filter', 'neg');
  assert.is(status, 0);
  const { passed, failed, split, whole, unsupported } = result;
  assert.equal(
    { passed, failed, split, whole, unsupported },
    { passed: 1, failed: 0, split: 1, whole: 0, unsupported: 0 },
  );
});

test('an initializer that the data feeds is an input', () => {
  const { result } = run('--filter', 'fed', '--devices', '3');
  assert.is(result.passed, 1, JSON.stringify(result.cases));
});

test('what onnxruntime refuses or answers otherwise itself is unsupported, with its words', () => {
  const { status, result } = run('--jobs', '1');
  assert.is(result.unsupported, 2);
  assert.is(result.failed, 0);
  assert.is(status, 0);
  const error = (name: string) => String(result.cases.find((one) => one.name === `node/${name}`)?.error);
  assert.match(error('refused'), 'NoSuchOperator');
  assert.match(error('wrong'), /onnxruntime's own "out" \[1\]: 1, 2 expected/);
});

test.run();
