/** A value that leaves its session, and is transposed and rounded inside it, leaves as it was: onnxruntime alone would round it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Builder, type Tensor } from '../../fixtures/zoo/builder.ts';
import { binary, relu, transpose } from '../../fixtures/zoo/layers.ts';
import { encodeModel, writeModel } from '../../fixtures/zoo/write.ts';
import { onnxruntime } from '../../runtime/modules.ts';
import { workFolder } from '../support/cli.ts';
import { clusterOf } from '../support/imported.ts';
import { assertRuns } from '../support/runs.ts';

const test = suite('rounded output');
const work = workFolder();

/** x: [1,4,3,2], bytes → sum: x + 0.3; rounded: the sum, channels first, rounded to whole numbers. */
function rounding(g: Builder): { sum: Tensor; rounded: Tensor } {
  const parameters = [g.scalar('scale', 1), g.scalar('zero', 128, 'uint8')];
  const numbers = (x: Tensor, name: string) =>
    g.node('DequantizeLinear', [x, ...parameters], { dtype: 'float32', shape: x.shape }, { name });
  const sum = binary(g, 'Add', numbers(g.input('x', [1, 4, 3, 2], 'uint8'), 'numbers'), g.scalar('c', 0.3), 'sum');
  const moved = transpose(g, sum, [0, 3, 1, 2], 'moved');
  const bytes = g.node(
    'QuantizeLinear',
    [moved, ...parameters],
    { dtype: 'uint8', shape: moved.shape },
    { name: 'bytes' },
  );
  return { sum, rounded: numbers(bytes, 'rounded') };
}

test('a device gives another one the sum itself', async () => {
  const g = new Builder('two-readers');
  const { sum, rounded } = rounding(g);
  g.output(relu(g, rounded, 'y'));
  g.output(binary(g, 'Mul', sum, g.scalar('two', 2), 'twice'));
  const model = work.path('model.onnx');
  writeModel(g.finish(), model);
  const operators = { sum: 'a', moved: 'a', bytes: 'a', y: 'b', twice: 'b' };
  const plan = { format: 1, model: '', policy: 'by hand', operators } as const;
  const options = { model, cluster: clusterOf({ a: 1, b: 1 }), plan, output: work.path('build') };
  await assertRuns(options, 1, { rtol: 0, atol: 0 });
});

test('onnxruntime still needs this', async () => {
  const g = new Builder('output');
  const { sum, rounded } = rounding(g);
  g.output(relu(g, rounded, 'y'));
  g.output(sum);
  const { InferenceSession, Tensor: OrtTensor } = onnxruntime();
  const x = new OrtTensor('uint8', new Uint8Array(24).fill(128), [1, 4, 3, 2]);
  const sumOf = async (graphOptimizationLevel: 'basic' | 'disabled') => {
    const session = await InferenceSession.create(encodeModel(g.finish()), { graphOptimizationLevel });
    const { sum } = await session.run({ x });
    await session.release();
    return Number(sum!.data[0]).toFixed(1);
  };
  assert.is(await sumOf('disabled'), '0.3');
  assert.is(await sumOf('basic'), '0.0', 'mended in onnxruntime: outputsNextToRounding can go');
});

test.run();
