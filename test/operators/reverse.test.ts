import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { byLetters, cutOf, whole } from '../../compiler/operators/index.ts';
import { f32 } from './brute-force.ts';
import { suspects } from './reverse-check.ts';

const test = suite('reverse check');
const pretended = () => whole('pretended');

test('finds what could have been cut', async () => {
  const found = await suspects({ type: 'Add', inputs: [f32(2, 5), f32(5)] }, pretended);
  assert.equal(found, [
    'dimension 0 (inputs cut along 0,-): pretended',
    'dimension 1 (inputs cut along 1,0): pretended',
  ]);
});

test('finds sums that could have been shared', async () => {
  const letters = { inputs: ['mk', 'kn'], outputs: ['mn'], whole: { k: 'pretended' } };
  const found = await suspects({ type: 'MatMul', inputs: [f32(2, 5), f32(5, 3)] }, ({ node }) =>
    byLetters(node, letters),
  );
  assert.equal(found, ['letter k (inputs cut along 1,0): pretended']);
});

test('does not list what must be whole', async () => {
  assert.equal(await suspects({ type: 'Softmax', inputs: [f32(4, 5)] }, ({ node }) => cutOf(node, '')), []);
});

test.run();
