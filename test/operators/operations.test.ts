/** Multiply-adds that rules give: what an operator costs where nothing was measured. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runWhole } from '../../compiler/operators/examples/one-node.ts';
import { cutOf, isWhole } from '../../compiler/operators/index.ts';
import { type Case, f32, index, int, ints, longs } from './brute-force.ts';

const test = suite('operations');

const rows: readonly (readonly [expected: number, given: Case])[] = [
  [2 * 3 * 4, { type: 'Add', inputs: [f32(2, 3, 4), f32(4)] }],
  [2 * 5 * 7 * 3, { type: 'MatMul', inputs: [f32(2, 5, 7), f32(2, 7, 3)] }],
  [2 * 6 * 5 * 5 * 4 * 3 * 3, { type: 'Conv', inputs: [f32(2, 4, 7, 7), f32(6, 4, 3, 3)] }],
  [
    2 * 6 * 5 * 5 * 2 * 3 * 3,
    { type: 'Conv', inputs: [f32(2, 4, 7, 7), f32(6, 2, 3, 3)], attributes: { group: int(2) } },
  ],
  // Each input element is spread over a kernel, whatever the stride.
  [
    4 * 5 * 5 * 6 * 3 * 3,
    { type: 'ConvTranspose', inputs: [f32(1, 4, 5, 5), f32(4, 6, 3, 3)], attributes: { strides: ints(2, 2) } },
  ],
  [3 * 4 * 5, { type: 'ReduceSum', inputs: [f32(3, 4, 5), longs(1)] }],
  // A lookup does not go through its table, nor a view through all orders of its dimensions.
  [2 * 5 * 4, { type: 'Gather', inputs: [f32(900, 4), index(900, 2, 5)] }],
  [3 * 4, { type: 'ScatterND', opset: 18, inputs: [f32(3, 4), index(3, 7, 1), f32(7, 4)] }],
  [24, { type: 'Reshape', inputs: [f32(2, 3, 4), longs(6, 4)] }],
  // Cutting in three does not multiply the three.
  [3 * 4, { type: 'Split', inputs: [f32(3, 12)], attributes: { axis: int(1) }, outputs: [true, true, true] }],
  [3 * 40, { type: 'TopK', inputs: [f32(3, 40), longs(20)], outputs: [true, true] }],
  // Steps, batch, gates: each with the input and the state.
  [
    7 * 2 * (4 * 3) * (5 + 3),
    { type: 'LSTM', inputs: [f32(7, 2, 5), f32(1, 12, 5), f32(1, 12, 3)], attributes: { hidden_size: int(3) } },
  ],
  // Scores and sums, in each of the heads; keys that came before count, the mask does not.
  [
    2 * (2 * 3 * 4 * 8) * 9,
    { type: 'Attention', opset: 23, inputs: [f32(2, 3, 4, 8), f32(2, 3, 9, 8), f32(2, 3, 9, 8), f32(4, 9)] },
  ],
  [
    2 * (2 * 4 * 24) * (9 + 2),
    {
      type: 'Attention',
      opset: 23,
      inputs: [f32(2, 4, 24), f32(2, 9, 24), f32(2, 9, 24), null, f32(2, 3, 2, 8), f32(2, 3, 2, 8)],
      attributes: { q_num_heads: int(3), kv_num_heads: int(3) },
      outputs: [true, true, true],
    },
  ],
];

for (const [i, [expected, given]] of rows.entries()) {
  test(`${given.type} (${i})`, async () => {
    const { node } = await runWhole(given);
    const cut = cutOf(node, given.domain ?? '');
    assert.not(isWhole(cut));
    assert.is(isWhole(cut) ? undefined : cut.operations, expected);
  });
}

test.run();
