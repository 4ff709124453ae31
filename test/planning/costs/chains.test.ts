/** Chains and families: what follows what, and what two operators have in common. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Compute, Program } from '../../../compiler/ir/program.ts';
import { tensorOf, valueKey, wholeValue } from '../../../compiler/ir/program.ts';
import { chainsOf, externals, Session } from '../../../compiler/planning/costs/chains.ts';
import { familyOf, sizesOf, workOf } from '../../../compiler/planning/costs/signature.ts';
import { cutsOf } from '../../../compiler/planning/cuts.ts';
import { spansOf, wholeSpans } from '../../../compiler/planning/resolve.ts';
import { tileOf } from '../../../compiler/planning/tile.ts';
import { binary, conv, linear, relu, softmax, unary } from '../../../fixtures/zoo/layers.ts';
import { importBuilt } from '../../support/built.ts';
import { imported } from '../../support/imported.ts';
import { chainsOfModel } from '../../support/made-profile.ts';

const test = suite('chains');

const types = (program: Program<'imported'>) =>
  chainsOfModel(program).map(({ members }) => members.map(({ type }) => type).join(' '));
const named = (program: Program<'imported'>, name: string): Compute => cutsOf(program).operators.get(name)!;

test('a convolution, its normalisation, the sum with the skip, its activation', async () => {
  const found = types(await imported('residualBlock'));
  assert.ok(found.includes('Conv BatchNormalization Relu'), found.join('; '));
  assert.ok(found.includes('Conv Add Relu'), found.join('; '));
});

test('an activation that reads what it multiplies is a chain of its own, told from one that multiplies another', async () => {
  const program = await importBuilt('swish', (g) => {
    const x = conv(g, g.input('x', [1, 8, 12, 12]), 'conv', 16, 3, { pad: 1 });
    const own = binary(g, 'Mul', x, unary(g, 'Sigmoid', x, 'gate'), 'own');
    g.output(binary(g, 'Mul', own, unary(g, 'Tanh', x, 'other-gate'), 'other'), 'y');
  });
  const found = chainsOfModel(program).filter(({ members }) => /gate/.test(members[0]!.origin));
  found.sort((a, b) => (a.members[0]!.origin < b.members[0]!.origin ? -1 : 1));
  assert.equal(
    found.map(({ members }) => members.map(({ origin }) => origin)),
    [
      ['gate', 'own'],
      ['other-gate', 'other'],
    ],
  );
  assert.match(found[0]!.key, /=\^$/);
  assert.match(found[1]!.key, /\.\^$/);
  assert.equal(
    externals(program, found[1]!).map(({ byLeader }) => byLeader),
    [true, false],
  );
});

test('a chain ends where its value leaves the session, where two read it, and at what is not element by element', async () => {
  const program = await importBuilt('ends', (g) => {
    const x = g.input('x', [4, 8]);
    const kept = relu(g, linear(g, x, 'fc', 8), 'kept');
    const twice = relu(g, kept, 'twice');
    g.output(binary(g, 'Add', softmax(g, twice, 1, 'softmax'), twice, 'sum'), 'y');
  });
  const operators = [...cutsOf(program).operators.values()];
  const chains = (kept: readonly string[]) =>
    chainsOf(
      program,
      new Session(operators, new Set(kept.map((name) => valueKey(wholeValue(tensorOf(program, name)))))),
    ).map(({ members }) => members.map(({ type }) => type).join(' '));
  assert.equal(chains([]), ['Gemm Relu Relu', 'Softmax Add']);
  const inner = named(program, 'kept').outputs[0]!.tensor;
  assert.equal(chains([inner]), ['Gemm Relu', 'Relu', 'Softmax Add']);
});

test('tiles of a sum and tiles of other regions are not followed', async () => {
  const program = await imported('residualBlock');
  const [chain] = chainsOfModel(program).filter(({ members }) => members.length === 3);
  const [leader, ...rest] = chain!.members as [Compute, ...Compute[]];
  const { cut } = chain!.family;
  const reduce = Object.keys(cut!.letters).find((letter) => cut!.letters[letter]!.kind === 'reduce')!;
  const partial = { combine: 'sum', index: 0, count: 2 } as const;
  const addend = tileOf(program, leader, cut, {
    device: 'a',
    spans: { ...wholeSpans(cut!), [reduce]: [0, 1] },
    partial,
  });
  assert.equal(chainsOf(program, new Session([addend, ...rest], new Set()))[0]!.members, [addend]);
  const half = tileOf(program, leader, cut, { device: 'a', spans: { ...wholeSpans(cut!), h: [0, 2] } });
  assert.equal(chainsOf(program, new Session([half, ...rest], new Set()))[0]!.members, [half]);
});

test('a family is a type with what it reads, not where its padding lies, nor how large it is', async () => {
  const program = await importBuilt('families', (g) => {
    const x = g.input('x', [1, 8, 12, 12]);
    const a = conv(g, x, 'a', 16, 3, { pad: 1 });
    const b = conv(g, a, 'b', 32, 3);
    const c = conv(g, b, 'c', 32, 3, { stride: 2 });
    const d = conv(g, c, 'd', 32, 3, { pad: 1, groups: 32 });
    g.output(d, 'y');
  });
  const family = (name: string) => familyOf(program, named(program, name));
  assert.is(family('a').key, family('b').key);
  assert.is.not(family('a').key, family('c').key);
  assert.is.not(family('a').key, family('d').key);
  assert.match(
    family('a').key,
    /^Conv .*kernel_shape=\[3,3\].* \(float32 nchw, float32 oc33 weight, .*\) -> float32 nohw$/,
  );
  assert.equal(family('a').sizes, { n: 1, c: 8, h: 12, w: 12, o: 16 });
});

test('a tile has the extents of its regions, and its share of the work', async () => {
  const program = await importBuilt('tile', (g) => {
    g.output(conv(g, g.input('x', [1, 8, 12, 12]), 'a', 16, 3, { pad: 1 }), 'y');
  });
  const operator = named(program, 'a');
  const family = familyOf(program, operator);
  const half = tileOf(program, operator, family.cut, {
    device: '',
    spans: spansOf(family.cut!, [
      [0, 1],
      [4, 8],
      [0, 12],
      [3, 9],
    ]),
  });
  const sizes = sizesOf(family, half);
  assert.equal(sizes, { n: 1, o: 4, h: 12, w: 6, c: 8 });
  assert.is(workOf(family, sizes), 4 * 12 * 6 * 8 * 9);
  const addend = tileOf(program, operator, family.cut, {
    device: '',
    spans: { ...wholeSpans(family.cut!), c: [0, 2] },
    partial: { combine: 'sum', index: 0, count: 2 },
  });
  assert.equal(sizesOf(family, addend), { n: 1, o: 16, h: 12, w: 12, c: 2 });
});

test.run();
