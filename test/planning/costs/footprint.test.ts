/** What sessions touch, and what that costs. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { tensorOf, wholeValue } from '../../../compiler/ir/program.ts';
import { after, footprint, touchedBytes } from '../../../compiler/planning/costs/footprint.ts';
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

test('from nothing to the first level in proportion, between levels by their logarithm, beyond them as the nearest', () => {
  const levels = [
    { touched: 0, seconds: 1 },
    { touched: 8, seconds: 2 },
    { touched: 32, seconds: 4 },
  ];
  const at = (bytes: number, of = levels) => after(of, bytes, ({ seconds }) => seconds);
  assert.equal([at(0), at(4), at(8), at(32), at(1e9)], [1, 1.5, 2, 4, 4]);
  assert.ok(Math.abs(at(16) - 3) < 1e-12);
  assert.is(at(4, levels.slice(1)), 2);
});

test.run();
