/** `--pass`: users' passes of every stage, as files; what is wrong with one is said with its name. */
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { stages } from '../../compiler/ir/program.ts';
import { Builder } from '../../fixtures/zoo/builder.ts';
import { encodeModel } from '../../fixtures/zoo/write.ts';
import { assertRefused, json, shardonnx, workFolder } from '../support/cli.ts';
import { modelFile } from '../support/imported.ts';

const test = suite('pass');
const work = workFolder();
const model = modelFile('mlp');
const keepHome = join(import.meta.dirname, '../../fixtures/passes/keep-home.ts');
const compile = (output: string, ...more: string[]) =>
  shardonnx('compile', model, '-c', work.cluster, '-o', work.path(output), ...more);

/** Writes a pass that does nothing else. */
const passFile = (name: string, stage: string, body: string) =>
  work.write(
    `${name}.ts`,
    `import { CompileError, definePass, type Program } from 'shardonnx';\n` +
      `export default definePass({ name: '${name}', stage: '${stage}', run: (program) => { ${body} } });\n`,
  );

test('the README’s example: a picture that would leave its device is refused, with the pass named', async () => {
  const spoken = await compile('private', '--policy', 'spatial', '--pass', keepHome);
  assertRefused(spoken, 'private-tensor', /x would go to b\n {2}at pass keep-home\n {2}at node "fc1"\n/);
  assert.not(work.list().includes('private'));
  assert.is((await compile('public', '--policy', 'cut:fc2', '--pass', keepHome)).status, 0);
});

test('a pass that rewrites the model: Relu of what is never negative is left out', async () => {
  const shape = [1, 4, 32, 32];
  const g = new Builder('idle');
  const gate = g.node('Sigmoid', [g.input('x', shape)], { dtype: 'float32', shape }, { name: 'gate' });
  const idle = g.node('Relu', [gate], { dtype: 'float32', shape }, { name: 'idle' });
  g.output(g.node('Exp', [idle], { dtype: 'float32', shape }, { name: 'exp' }), 'y');
  const file = work.write('idle.onnx', encodeModel(g.finish()));
  const drop = passFile(
    'drop-idle-relu',
    'imported',
    `const makers = new Map(program.operators.flatMap((o) => o.kind === 'compute' ? o.outputs.map((v) => [v?.tensor, o] as const) : []));
     const idle = new Map<string, string>();
     for (const o of program.operators) {
       if (o.kind !== 'compute' || o.type !== 'Relu' || o.inputs[0]?.kind !== 'value') continue;
       const from = o.inputs[0].tensor;
       const to = o.outputs[0]!.tensor;
       if (makers.get(from)?.type === 'Sigmoid' && !program.outputs.includes(to)) idle.set(to, from);
     }
     const operators = program.operators.flatMap((o) => {
       if (o.kind !== 'compute') return [o];
       if (o.outputs[0] && idle.has(o.outputs[0].tensor)) return [];
       return [{ ...o, inputs: o.inputs.map((v) => v?.kind === 'value' ? { ...v, tensor: idle.get(v.tensor) ?? v.tensor } : v) }];
     });
     return { ...program, operators };`,
  );
  const output = work.path('dropped');
  const spoken = await shardonnx(
    'compile',
    file,
    '-c',
    work.cluster,
    '-o',
    output,
    '--pass',
    drop,
    '--dump',
    work.path('stages'),
  );
  assert.is(spoken.status, 0, spoken.stderr);
  const split = readFileSync(work.path('stages/1-split.ir'), 'utf8');
  assert.not.match(split, /Relu\(/);
  assert.match(split, /Exp\(%gate/);
  assert.is(json(await shardonnx('verify', output, file, '--json')).ok, true);
});

test('passes run after the stage they name, those of one stage in the order given', async () => {
  const note = (name: string, stage: string) =>
    passFile(name, stage, `(globalThis as any).noted.push('${name} ' + program.stage); return program;`);
  const noted: string[] = [];
  Object.assign(globalThis, { noted });
  const flags = ['linked', 'split', 'assembled', 'imported'].flatMap((stage) => [
    '--pass',
    note(`first-${stage}`, stage),
  ]);
  const again = stages.flatMap((stage) => ['--pass', note(`second-${stage}`, stage)]);
  assert.is((await compile('ordered', ...flags, ...again)).status, 0);
  assert.equal(
    noted,
    stages.flatMap((stage) => [`first-${stage} ${stage}`, `second-${stage} ${stage}`]),
  );
});

test('a pass may be JavaScript, and import what lies beside it', async () => {
  work.write('helper.js', `export const limit = 0;`);
  const file = work.write(
    'budget.mjs',
    `import { CompileError, definePass } from 'shardonnx';
     import { limit } from './helper.js';
     export default definePass({ name: 'budget', stage: 'linked', run(program) {
       const sends = program.operators.filter(({ kind }) => kind === 'send').length;
       if (sends > limit) throw new CompileError('too-many-sends', sends + ' sends, ' + limit + ' allowed', { hint: 'share less' });
       return program;
     } });`,
  );
  assertRefused(
    await compile('budget', '--pass', file),
    'too-many-sends',
    /\d+ sends, 0 allowed\n {2}at pass budget\n/,
  );
  assert.is((await compile('alone', '--policy', 'whole:a', '--pass', file)).status, 0);
});

const drops = 'return { ...program, operators: program.operators.slice(0, -1) };';
/** A pass file; the error's code, and what it says. */
// biome-ignore format: one row a case
const broken: Readonly<Record<string, readonly [string, string, RegExp]>> = {
  'no file': [work.path('none.ts'), 'pass', /cannot be read.*--pass .*none\.ts/s],
  'a file that is no TypeScript': [work.write('syntax.ts', 'export default {'), 'pass', /syntax\.ts:\d+: .*end of file/],
  'no default export': [work.write('named.ts', 'export const pass = 1;'), 'pass', /default export is no pass.*named\.ts/s],
  'a default export that is no pass': [work.write('object.ts', 'export default { name: "x" };'), 'pass', /default export is no pass/],
  'an unknown stage': [passFile('late', 'finished', 'return program;'), 'pass', /default export is no pass/],
  'a module that throws': [work.write('loud.ts', 'throw new Error("not today"); export default 1;'), 'pass', /not today.*loud\.ts/s],
  'an import that is not there': [work.write('lost.ts', 'import "./nowhere.ts"; export default 1;'), 'pass', /lost\.ts:1: .*nowhere/],
  'a pass that throws': [passFile('clumsy', 'split', 'return (program as any).operators.first.value;'), 'pass', /clumsy threw: .*--pass .*clumsy\.ts/s],
  'a pass that returns nothing': [passFile('silent', 'split', ''), 'pass', /silent returned no program/],
  'a pass that is async': [work.write('slow.ts', `import { definePass } from 'shardonnx'; export default definePass({ name: 'slow', stage: 'split', run: async (p) => p });`), 'pass', /slow returned a promise/],
  'a pass that changes the stage': [passFile('hasty', 'split', `return { ...program, stage: 'linked' } as any;`), 'pass', /hasty returned a program of stage linked, split is expected/],
  'an invalid imported program': [passFile('drop-last', 'imported', drops), 'program-invalid', /output y is not made\n {2}at pass drop-last, stage imported/],
  'an invalid split program': [passFile('drop-last2', 'split', drops), 'program-invalid', /output y is not made\n {2}at pass drop-last2, stage split/],
  'an invalid assembled program': [passFile('drop-first', 'assembled', 'return { ...program, operators: program.operators.slice(1) };'), 'program-invalid', /at pass drop-first, stage assembled/],
  'an invalid linked program': [passFile('drop-sends', 'linked', `return { ...program, operators: program.operators.filter((o) => o.kind !== 'send') };`), 'program-invalid', /receives what nobody sends.*at pass drop-sends, stage linked/s],
};
for (const [what, [file, code, says]] of Object.entries(broken)) {
  test(what, async () => {
    const before = work.list();
    assertRefused(await compile('broken', '--policy', 'cut:fc2', '--pass', file), code, says);
    assert.equal(work.list(), before, 'nothing is written');
  });
}

test('a pass after the split may add operators of its own', async () => {
  const copy = passFile(
    'copy',
    'linked',
    `const y = program.tensors.get('y')!;
     const tensors = new Map([...program.tensors, ['z', { ...y, name: 'z', role: 'inner' }]] as never);
     const operators = program.operators.flatMap((o) => {
       if (o.kind !== 'compute' || o.type !== 'Softmax') return [o];
       const z = { ...o.outputs[0]!, tensor: 'z' };
       return [{ ...o, outputs: [z] }, { ...o, type: 'Identity', attributes: {}, origin: 'copy', inputs: [z] }];
     });
     return { ...program, tensors, operators } as typeof program;`,
  );
  assert.is((await compile('copied', '--policy', 'cut:fc2', '--pass', copy)).status, 0);
  assert.is(json(await shardonnx('verify', work.path('copied'), model, '--json')).ok, true);
});

test('a device that there is not is refused, with the pass named', async () => {
  const lost = passFile(
    'lost-device',
    'split',
    `return { ...program, operators: program.operators.map((o) => ({ ...o, device: 'c' })) };`,
  );
  assertRefused(
    await compile('nowhere', '--pass', lost),
    'program-invalid',
    /no device c in the cluster\n {2}at pass lost-device/,
  );
});

test('--dump writes the stages before the pass that failed', async () => {
  const drop = passFile('dropper', 'linked', drops);
  assert.is((await compile('undumped', '--pass', drop, '--dump', work.path('until'))).status, 1);
  assert.ok(readdirSync(work.path('until')).includes('2-assembled.ir'));
});

test('no pass leaves a file behind', () => {
  const left = readdirSync(tmpdir()).filter((name) => name.startsWith('shardonnx-pass-'));
  assert.equal(left, []);
});

test.run();
