/** Names as models have them: keywords, quotes, line breaks, letters of every alphabet. The programs are TypeScript and run. */
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCluster } from '../../compiler/cluster/cluster.ts';
import { compile } from '../../compiler/compile.ts';
import type { Plan } from '../../compiler/planning/plan.ts';
import { modelBytes, node, ramp, value } from '../onnx/make.ts';
import { workFolder } from '../support/cli.ts';
import { assertRuns } from '../support/runs.ts';
import { typeErrors } from '../support/type-check.ts';

const test = suite('names');
const work = workFolder();
const cluster = parseCluster({
  devices: { a: {}, 'b-2_x': {} },
  links: [{ between: ['a', 'b-2_x'], bandwidth: '1 Gbit/s' }],
});
const programs: string[] = [];
let builds = 0;

/** input → Exp → inner → Neg → output, shared: every name is a variable, a comment or a file's content on both devices. */
async function runs(input: string, inner: string, output: string): Promise<void> {
  const [exp, neg] = [`${inner} maker`, `${output} maker`];
  const nodes = [node('Exp', [input], [inner], {}, { name: exp }), node('Neg', [inner], [output], {}, { name: neg })];
  const bytes = modelBytes({ nodes, inputs: [value(input, [2, 2])], outputs: [value(output)] });
  const model = work.write(`${builds}.onnx`, bytes);
  const folder = work.path(`build${builds++}`);
  const halves = [
    { device: 'a', region: '[0:1,:]' },
    { device: 'b-2_x', region: '[1:2,:]' },
  ];
  const plan: Plan = { format: 1, model: '', policy: '', operators: { [exp]: halves, [neg]: 'a' } };
  await assertRuns({ model, cluster, plan, output: folder });
  programs.push(join(folder, 'a', 'program.ts'), join(folder, 'b-2_x', 'program.ts'));
}

const names: Readonly<Record<string, readonly (readonly [input: string, inner: string, output: string])[]>> = {
  'words of the language': [
    ['return', 'await', 'new'],
    ['constructor', 'toString', 'valueOf'],
  ],
  'names the program itself uses': [
    ['inputs', 'device', 'program'],
    ['Tensor', 'Inputs', 'Outputs'],
  ],
  'what is no identifier': [
    ['1', '2:0', '3/a.b'],
    ['a-b', 'a_b', 'a b'],
    ['"', "'", '`'],
    ['\\', '$' + '{x}', '</script>'],
    ['*/ x', '// y', '/* z'],
  ],
  'line ends': [
    ['x\ny', 'x\ry', 'x\r\ny'],
    ['x\u2028y', 'x\u2029y', 'x\u0085y'],
  ],
  'other words of the language': [
    ['class', 'default', 'function'],
    ['undefined', 'null', 'true'],
    ['async', 'yield', 'static'],
    ['arguments', 'eval', 'this'],
  ],
  'the prototype of objects': [['__proto__', 'y', 'z']],
  'letters of every alphabet': [
    ['é', 'è', '漢字'],
    ['🤖', 'ñandú', 'Привет'],
  ],
};
for (const [what, all] of Object.entries(names)) {
  test(what, async () => {
    for (const three of all) await runs(...three);
  });
}

test('tensors that are called as parts of others are', async () => {
  const named = (type: string, inputs: string[], output: string) => node(type, inputs, [output], {}, { name: output });
  const mean = { axes: { kind: 'ints', value: [0] }, keepdims: { kind: 'int', value: 0 } } as const;
  const model = work.write(
    'parts.onnx',
    modelBytes({
      nodes: [
        named('Exp', ['x'], 'x[0:1,:]'),
        named('Neg', ['x[0:1,:]'], 'x[1:2,:]'),
        node('ReduceMean', ['x[1:2,:]'], ['m'], mean, { name: 'm' }),
        named('Add', ['m', 'm.scale'], 'm.made'),
        named('Add', ['m.made', 'm.part'], 'y'),
      ],
      inputs: [value('x', [2, 4])],
      initializers: [ramp('m.scale', [4]), ramp('m.part', [4])],
      outputs: [value('y', [4])],
    }),
  );
  const rows = ['[0:1,:]', '[1:2,:]'].map((region) => ({ device: 'a', region }));
  const halves = ['0:1', '1:2'].map((n) => ({ device: 'a', reduce: { n } }));
  const operators = { 'x[0:1,:]': rows, 'x[1:2,:]': 'a', m: halves, 'm.made': 'a', y: 'a' };
  const plan: Plan = { format: 1, model: '', policy: '', operators };
  await assertRuns({ model, cluster, plan, output: work.path('parts') });
});

test('a model whose file has an odd name', async () => {
  const model = work.write('it\'s a "model" *.onnx', modelBytes());
  await compile({ model, cluster, policy: 'whole:a', output: work.path('odd') });
  programs.push(join(work.path('odd'), 'a', 'program.ts'));
});

test('all of these programs are TypeScript without errors', () => {
  assert.equal(typeErrors(programs), []);
});

test.run();
