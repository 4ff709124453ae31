/** What sessions touch, and what that costs. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tensorOf, wholeValue } from '../../../compiler/ir/program.ts';
import { coldSeconds, footprint, touchedBytes } from '../../../compiler/planning/costs/footprint.ts';
import { cutsOf } from '../../../compiler/planning/cuts.ts';
import { binary, linear, relu } from '../../../fixtures/zoo/layers.ts';
import { importBuilt } from '../../support/built.ts';

const test = suite('footprint');

test('a session touches its inputs and the most it holds at once; weights are read, and not counted here', async () => {
  const program = await importBuilt('touched', (g) => {
    const x = g.input('x', [4, 8]);
    const a = relu(g, linear(g, x, 'fc', 32), 'relu');
    g.output(binary(g, 'Add', linear(g, a, 'back', 32), a, 'sum'), 'y');
  });
  const operators = [...cutsOf(program).operators.values()];
  const whole = (names: readonly string[]) => names.map((name) => wholeValue(tensorOf(program, name)));
  const segment = {
    kind: 'segment',
    index: 0,
    operators,
    inputs: whole(program.inputs),
    outputs: whole(program.outputs),
  } as const;
  const [input, value] = [4 * 4 * 8, 4 * 4 * 32];
  // At the sum: what relu and the second layer made, and the sum itself.
  assert.is(touchedBytes(program, segment), input + 3 * value);
  const { weights, made } = footprint(program, operators);
  assert.equal([weights, made], [4 * (8 * 32 + 32 + 32 * 32 + 32), 4 * value]);
});

test('between levels by their logarithm, below in proportion, above as the last', () => {
  const levels = [
    { touched: 8, seconds: 1 },
    { touched: 32, seconds: 3 },
  ];
  const at = (bytes: number) => coldSeconds(levels, bytes);
  assert.equal([at(0), at(4), at(8), at(32), at(1e9)], [0, 0.5, 1, 3, 3]);
  assert.ok(Math.abs(at(16) - 2) < 1e-12);
});

test.run();
