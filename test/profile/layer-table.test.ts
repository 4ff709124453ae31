/** Foreign tables of layers: columns by name, units, quotes, and what is refused with its line. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseLayerTable } from '../../compiler/profile/layer-table.ts';
import { errorOf } from '../support/error.ts';

const test = suite('layer-table');

test('as accelerators write it: semicolons, a number before each layer', () => {
  const text = 'No.;Layer;Latency [ms];Energy [mJ]\n1;/conv1/Conv;6.02112;0.8\r\n2;"a;b ""c""";0;0\n\n';
  assert.equal(
    [...parseLayerTable(text)],
    [
      ['/conv1/Conv', { seconds: 6.02112 / 1e3, joules: 0.8 / 1e3 }],
      ['a;b "c"', { seconds: 0, joules: 0 }],
    ],
  );
});

test('commas, other units, no energy, a byte order mark', () => {
  const text = '\uFEFFname,latency (us)\nfc, 12.5 \n';
  assert.equal([...parseLayerTable(text)], [['fc', { seconds: 12.5 * 1e-6 }]]);
});

const head = 'Layer;Latency [ms];Energy [mJ]\n';
const refused: Record<string, [text: string, message: RegExp, line: number]> = {
  'an empty file': ['', /^no column Layer$/, 1],
  'no layers': [head, /^no layers$/, 0],
  'no latency': ['Layer;Energy [mJ]\na;1\n', /^no column Latency \[ms\]$/, 1],
  'no unit': ['Layer;Latency\na;1\n', /"Latency" has no unit; write one of ns, us/, 1],
  'an unknown unit': ['Layer;Latency [min]\na;1\n', /"min" is none of/, 1],
  'no figure': [`${head}a;fast;1\n`, /"fast" is no figure/, 2],
  'a missing figure': [`${head}a;1;1\nb;2\n`, /"" is no figure/, 3],
  'a negative figure': [`${head}a;-1;1\n`, /"-1" is no figure between 0/, 2],
  NaN: [`${head}a;NaN;1\n`, /"NaN" is no figure/, 2],
  Infinity: [`${head}a;1;Infinity\n`, /"Infinity" is no figure/, 2],
  'an absurd figure': [`${head}a;1e12;1\n`, /"1e12" is no figure/, 2],
  'a line without a layer': [`${head};1;1\n`, /without a layer/, 2],
  'a layer twice': [`${head}a;1;1\na;2;2\n`, /"a" is there twice/, 3],
};
for (const [name, [text, message, line]] of Object.entries(refused)) {
  test(`refused: ${name}`, async () => {
    const error = await errorOf('layer-table', () => parseLayerTable(text, 't.csv'));
    assert.match(error.message, message);
    assert.equal(error.context.at, [line > 0 ? `t.csv:${line}` : 't.csv']);
  });
}

const evidence = fileURLToPath(new URL('../../../shared/evidence/cnnparted', import.meta.url));
test('the published tables', () => {
  if (!existsSync(evidence)) {
    console.log(`skipped: ${evidence} is not here`);
    return;
  }
  const tables = readdirSync(evidence).filter((file) => /\.(eyeriss|simba)\.csv$/.test(file));
  assert.ok(tables.length >= 12);
  for (const file of tables) {
    const text = readFileSync(`${evidence}/${file}`, 'utf8');
    const layers = parseLayerTable(text, file);
    assert.is(layers.size, text.trim().split('\n').length - 1, file);
    for (const { seconds, joules } of layers.values()) assert.ok(seconds > 0 && joules! > 0, file);
  }
});

test.run();
