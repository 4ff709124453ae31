/** Halos: exchanged or computed again. On a slow link, what moves fewer bytes is faster. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Program } from '../../compiler/ir/program.ts';
import { tensorOf } from '../../compiler/ir/program.ts';
import { formatRegion, parseRegion } from '../../compiler/ir/region.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { makePlan } from '../../compiler/planning/policies/index.ts';
import { conv } from '../../fixtures/zoo/layers.ts';
import { importBuilt } from '../support/built.ts';
import { bytesMoved, clusterOf, lowered } from '../support/imported.ts';

const test = suite('halo');
const cluster = clusterOf({ a: 1, b: 1 }, 'b', '100 kbit/s');

/** Two 3×3 convolutions, over rows only: the second reads the first's halo. x: [1,channels,32,1] */
const twoConvolutions = (channels: number, middle: number) =>
  importBuilt('two-convolutions', (g) => {
    const first = conv(g, g.input('x', [1, channels, 64, 1]), 'first', middle, [3, 1], { pad: [1, 0] });
    g.output(conv(g, first, 'second', 512, [3, 1], { pad: [1, 0] }));
  });

/** Parts of one operator, as the rows they compute. */
function rowsOf(program: Program<'imported'>, plan: Plan, name: string): [number, number][] {
  const parts = plan.operators[name];
  assert.ok(Array.isArray(parts));
  return parts.map(({ region }) => [...parseRegion(region!, tensorOf(program, name).shape)![2]!]);
}

/** The plan with other rows for one operator on devices a and b. */
function withRows(
  program: Program<'imported'>,
  plan: Plan,
  name: string,
  rows: readonly (readonly [number, number])[],
): Plan {
  const { shape } = tensorOf(program, name);
  const parts = rows.map((span, i) => ({
    device: ['a', 'b'][i]!,
    region: formatRegion(
      shape.map((size, axis) => (axis === 2 ? span : ([0, size!] as const))),
      shape,
    ),
  }));
  return { ...plan, operators: { ...plan.operators, [name]: parts } };
}

const moved = (program: Program<'imported'>, plan: Plan) => bytesMoved(lowered(program, { cluster, plan }).schedule);

test('few channels in, many between: the halo is computed again', async () => {
  const program = await twoConvolutions(4, 256);
  const plan = await makePlan(program, cluster, 'spatial');
  const [a, b] = rowsOf(program, plan, 'first');
  assert.ok(a![1] > b![0], `a computes ${a}, b ${b}: they overlap`);
  const middle = rowsOf(program, plan, 'second')[0]![1];
  const exchanged = withRows(program, plan, 'first', [
    [0, middle],
    [middle, 64],
  ]);
  assert.ok(moved(program, plan) < moved(program, exchanged));
});

test('many channels in, few between: who lacks the input gets the halo sent, who has it computes it again', async () => {
  const program = await twoConvolutions(256, 4);
  const plan = await makePlan(program, cluster, 'spatial');
  const [a, b] = rowsOf(program, plan, 'first');
  const middle = rowsOf(program, plan, 'second')[0]![1];
  assert.equal(
    [a, b],
    [
      [0, middle + 1],
      [middle, 64],
    ],
  );
  for (const other of [
    [
      [0, middle + 1],
      [middle - 1, 64],
    ],
    [
      [0, middle],
      [middle, 64],
    ],
  ] as const) {
    assert.ok(moved(program, plan) < moved(program, withRows(program, plan, 'first', other)));
  }
});

test('what a plan moves is exactly the halo that the other device lacks', async () => {
  const program = await twoConvolutions(8, 16);
  const rows = (name: string) =>
    [
      { device: 'a', region: `[:,:,0:32,:]`, name },
      { device: 'b', region: `[:,:,32:64,:]`, name },
    ].map(({ device, region }) => ({ device, region }));
  const plan: Plan = {
    format: 1,
    model: '',
    policy: 'by hand',
    operators: { first: rows('first'), second: rows('second') },
  };
  // b lacks rows 31:64 of the input (8 channels); each lacks one row of the first's output (16); b wants a's half (512).
  const floats = 33 * 8 + 2 * 16 + 32 * 512;
  assert.is(moved(program, plan), 4 * floats);
});

test.run();
