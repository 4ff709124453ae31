import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Tensor } from '../../compiler/ir/program.ts';
import { cutOf, isWhole, type Node } from '../../compiler/operators/index.ts';

const test = suite('split table');

const tensor = (dtype: Tensor['dtype'], shape: readonly number[] = [2, 3]): Tensor => ({
  name: 'x',
  dtype,
  shape,
  role: 'inner',
});
function unary(type: string, dtype: Tensor['dtype'] = 'float32', shape: readonly number[] = [2, 3]): Node {
  const operand = { tensor: tensor(dtype, shape), shape };
  return { name: 'node', type, opset: 17, attributes: {}, inputs: [operand], outputs: [operand] };
}

function reasonOf(node: Node, domain = ''): string {
  const cut = cutOf(node, domain);
  assert.ok(isWhole(cut), 'it can be cut');
  return isWhole(cut) ? cut.whole : '';
}

test('what has no rule runs whole and says so', () => {
  assert.is(reasonOf(unary('Frobnicate')), 'no rule for Frobnicate yet');
  assert.is(reasonOf(unary('Relu'), 'com.microsoft'), 'no rule for com.microsoft.Relu yet');
  assert.is(reasonOf(unary('Relu'), 'my.own'), 'no rule for my.own.Relu yet');
  assert.is(reasonOf(unary('toString')), 'no rule for toString yet');
});

test('what can never be cut says why', () => {
  assert.match(reasonOf(unary('If')), 'control flow');
  assert.match(reasonOf(unary('RandomNormalLike')), 'random');
  assert.match(reasonOf(unary('NonZero')), 'data decides');
  assert.match(reasonOf(unary('Relu', null)), 'never leaves its device');
  assert.match(reasonOf(unary('Relu', 'float32', [2, 0])), 'empty');
  assert.match(reasonOf({ ...unary('Relu'), outputs: [null] }), 'not used');
});

test('both names of the default domain are known', () => {
  assert.not(isWhole(cutOf(unary('Relu'), '')));
  assert.not(isWhole(cutOf(unary('Relu'), 'ai.onnx')));
});

test.run();
