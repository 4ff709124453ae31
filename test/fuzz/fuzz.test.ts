/** The fuzzer: the same damage for the same seed, and nothing that must not be passes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { attempt, codeOf, mutantOf, Sandbox } from './attempt.ts';
import { mutate } from './mutate.ts';
import { subjects } from './subjects.ts';
import { encode, encodeNumbers, numbersOf, parse } from './tree.ts';

const test = suite('fuzz');
const sandbox = new Sandbox();
test.after(() => sandbox.remove());

test('a tree is written as it was read', () => {
  for (const { name, bytes } of subjects) assert.ok(Buffer.from(bytes()).equals(encode(parse(bytes()))), name);
});

test('numbers are written as they were read', () => {
  const numbers = [0n, 1n, 127n, 128n, -1n, 2n ** 63n - 1n, -(2n ** 63n)];
  assert.equal(numbersOf(encodeNumbers(numbers)), numbers);
});

test('damage is the same for the same seed, differs between seeds, and is damage', () => {
  const model = subjects[0]!.bytes();
  const mutants = Array.from({ length: 200 }, (_, seed) => Buffer.from(mutate(model, seed).bytes).toString('hex'));
  mutants.forEach((mutant, seed) => {
    assert.is(Buffer.from(mutate(model, seed).bytes).toString('hex'), mutant);
  });
  const unchanged = mutants.filter((mutant) => mutant === Buffer.from(model).toString('hex'));
  // A field swapped with itself, a byte that was set already.
  assert.ok(unchanged.length < 20, `${unchanged.length} are as they were`);
  assert.ok(new Set(mutants).size > 150);
});

test('every kind of damage and every subject comes up', () => {
  const mutants = Array.from({ length: 4000 }, (_, seed) => mutantOf(seed));
  const kinds = new Set(mutants.flatMap(({ what }) => what.map((one) => one.split(' ')[0])));
  const wanted = 'change drop duplicate flip insert remove repeat set swap transplant truncate'.split(' ');
  assert.equal([...kinds].sort(), wanted);
  assert.is(new Set(mutants.map(({ subject }) => subject)).size, subjects.length);
});

test('what is no clear error is a fault', () => {
  const clear = 'cycle: nodes wait for each other\n  at m.onnx: node "a"\n  export the model again\n';
  const spoken = { status: 1, stdout: '', stderr: clear };
  assert.is(codeOf(spoken), 'cycle');
  assert.is(codeOf({ ...spoken, stderr: `note: batch is 1\n${clear}` }), 'cycle');
  for (const [what, wrong] of Object.entries({
    'another status': { ...spoken, status: 0 },
    'no code': { ...spoken, stderr: 'TypeError: x is undefined\n' },
    'a bug of ours': { ...spoken, stderr: clear.replace('cycle', 'internal') },
    'no place': { ...spoken, stderr: 'cycle: nodes wait\n  export the model again\n' },
    'no hint': { ...spoken, stderr: 'cycle: nodes wait\n  at m.onnx\n' },
    'a stack': { ...spoken, stderr: `${clear}  at run (compiler/x.ts:3:14)\n  do so\n` },
    'another code on stdout': { ...spoken, stdout: '{"ok":false,"error":{"code":"opset"}}' },
  })) {
    assert.throws(() => codeOf(wrong), undefined, what);
  }
});

test('files where none belong are found, those of a build are not', () => {
  assert.equal(sandbox.strangers(), []);
  const escaped = sandbox.path('..', '..', 'escape');
  writeFileSync(escaped, '');
  mkdirSync(sandbox.output);
  writeFileSync(`${sandbox.output}/bundle.json`, '{}');
  writeFileSync(`${sandbox.output}-half`, '');
  assert.equal(sandbox.strangers(sandbox.output).sort(), [escaped, `${sandbox.output}-half`].sort());
  sandbox.clear();
  assert.equal(sandbox.strangers(), []);
});

test('forty damaged models', async () => {
  const ends = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const { subject, mutations, fault, ends: both } = await attempt(sandbox, seed, () => {});
    assert.is(fault, undefined, `${seed}: ${subject}, ${mutations.join(', ')}`);
    for (const end of both) ends.add(end);
  }
  assert.ok(ends.has('ok') && ends.size > 5, [...ends].join(' '));
});

test.run();
