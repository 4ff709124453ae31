/** Kernels of a trace → operators: by what onnxruntime calls them and the order in which they run. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compute } from '../../compiler/ir/program.ts';
import { attribute, kernelsByVariant } from '../../compiler/measure/attribute.ts';
import { roleOf } from '../../compiler/measure/tile-model.ts';
import type { Kernel } from '../../compiler/measure/trace.ts';

const test = suite('attribute');

const operators = (...types: string[]) =>
  types.map(
    (type): Compute => ({
      kind: 'compute',
      type,
      domain: '',
      origin: type,
      device: '',
      attributes: {},
      inputs: [],
      outputs: [],
      captures: [],
    }),
  );
/** A kernel that takes as many seconds in every run. */
const kernel = (type: string, name: string, seconds: number): Kernel => ({
  type,
  name,
  seconds: [99, seconds, seconds],
});
const of = (types: readonly string[], ...kernels: Kernel[]) => attribute(operators(...types), kernels, 1);

test('names say which variant and what for', () => {
  assert.equal(roleOf('tile12=relu[:,0:3]_nchwc'), { index: 12, role: 'operator' });
  assert.equal(roleOf('Abs tile3<x'), { index: 3, role: 'maker' });
  assert.equal(roleOf('Slice tile0>y'), { index: 0, role: 'sink' });
  assert.is(roleOf('ReorderInput_token_4'), null);
});

test('one kernel for all: the first operator pays; layouts change before and after', () => {
  const found = of(
    ['Conv', 'BatchNormalization', 'Relu'],
    kernel('Abs', 'Abs tile0<x', 50),
    kernel('ReorderInput', 'ReorderInput', 1),
    kernel('Conv', 'tile0=relu_nchwc', 10),
    kernel('ReorderOutput', 'ReorderOutput', 2),
    kernel('Slice', 'Slice tile0>relu', 50),
  )!;
  assert.equal([found.seconds, found.enter, found.leave, found.spread], [[10, 0, 0], 1, 2, 0]);
});

test('kernels of their own: each operator pays, changes of layout between them the later one', () => {
  const found = of(
    ['Conv', 'Add', 'Relu'],
    kernel('ReorderInput', 'ReorderInput', 1),
    kernel('Conv', 'tile0=c_nchwc', 10),
    kernel('ReorderOutput', 'ReorderOutput', 2),
    kernel('Abs', 'Abs tile0<r', 50),
    kernel('Add', 'Add tile0=a', 4),
    kernel('Relu', 'Relu tile0=r', 3),
  )!;
  assert.equal([found.seconds, found.enter, found.leave], [[10, 6, 3], 1, 0]);
});

test('a kernel of another name belongs to the next operator', () => {
  assert.equal(of(['Sigmoid', 'Mul'], kernel('QuickGelu', 'Mul tile0=y/QuickGeluFusion/', 7))!.seconds, [7, 0]);
  assert.equal(of(['MatMul', 'Add', 'Tanh'], kernel('Gemm', 'x', 5), kernel('Tanh', 'y', 2))!.seconds, [5, 0, 2]);
  assert.equal(of(['Gemm'], kernel('Gemm', 'x', 5), kernel('Slice', 'cropped', 1))!.seconds, [6]);
});

test('in the blocked layout: what makers need is not counted; inputs that do not stay in it make the variant void', () => {
  const maker = [kernel('ReorderInput', 'ReorderInput', 8), kernel('MaxPool', 'tile0<x_nchwc', 9)];
  const found = of(
    ['Conv'],
    ...maker,
    kernel('Conv', 'tile0=y_nchwc', 10),
    kernel('ReorderOutput', 'ReorderOutput', 2),
  )!;
  assert.equal([found.seconds, found.enter, found.leave], [[10], 0, 2]);
  const left = of(['Softmax'], ...maker, kernel('ReorderOutput', 'ReorderOutput', 2), kernel('Softmax', 'tile0=y', 3));
  assert.is(left, null);
});

test('nothing ran: nothing to say', () => {
  assert.is(of(['Conv']), null);
  assert.is(of(['Conv'], kernel('Abs', 'Abs tile0<x', 1)), null);
});

test('the first runs do not count, and the quartiles of the rest are the spread', () => {
  const seconds = [500, 500, 10, 20, 30, 40];
  const found = attribute(operators('Conv'), [{ type: 'Conv', name: 'tile0=y', seconds }], 2)!;
  assert.equal(found.seconds, [30]);
  assert.is(found.spread, (40 - 20) / 30);
});

test('variants are told apart; one whose kernels mix with another is left out', () => {
  const [a, b] = [kernel('Conv', 'tile0=a', 1), kernel('Conv', 'tile1=b', 1)];
  const reorder = kernel('ReorderOutput', 'ReorderOutput', 1);
  assert.equal(kernelsByVariant([a, reorder, b], 3), [[a, reorder], [b], []]);
  assert.equal(kernelsByVariant([b, kernel('ReorderInput', 'ReorderInput', 1), a], 2), [[a], [b]]);
  assert.equal(kernelsByVariant([a, b, a], 2), [[], [b]]);
});

test.run();
