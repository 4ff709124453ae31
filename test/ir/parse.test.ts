/** Text that is no program: the error names line and column. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgram } from '../../compiler/ir/parse.ts';
import { formatProgram } from '../../compiler/ir/text.ts';
import { errorOf } from '../support/error.ts';
import { tiny, tinyEncoded, withLine } from '../support/tiny.ts';

const test = suite('parse');

test('the programs that are broken below can be read', () => {
  for (const text of [...Object.values(tiny), tinyEncoded]) assert.is(formatProgram(parseProgram(text)), text);
});

/** Line of the imported or linked program → what stands there instead, the column of the fault, what is expected there. */
// biome-ignore format: one row a case
const broken: readonly (readonly [keyof typeof tiny, string, string, number, RegExp])[] = [
  ['imported', 'program "tiny" imported', 'programme "tiny" imported', 8, /a string/],
  ['imported', 'program "tiny" imported', 'program tiny imported', 9, /a string/],
  ['imported', 'program "tiny" imported', 'program "tiny" sliced', 22, /imported or split or assembled or linked/],
  ['imported', 'ir 8, opset ai.onnx 17', 'ir 8, opset ai.onnx', 20, /a number/],
  ['imported', 'inputs %x', 'inputs x', 8, /a tensor/],
  ['imported', 'inputs %x', 'input %x', 1, /"inputs"/],
  ['imported', 'outputs %y', 'outputs %y %x', 12, /","/],
  ['imported', 'inner %h: float32[8,4]', 'inside %h: float32[8,4]', 1, /a role/],
  ['imported', 'inner %h: float32[8,4]', 'inner %h: float31[8,4]', 23, /a dtype/],
  ['imported', 'inner %h: float32[8,4]', 'inner %h: float32[8,-4]', 21, /a whole number/],
  ['imported', 'inner %h: float32[8,4]', 'inner %h: float32[8,4] inner', 24, /end of line/],
  ['imported', 'inner %h: float32[8,4]', 'inner %h: float32[8,4] encodes x', 32, /a tensor/],
  ['imported', 'inner %h: float32[8,4]', 'inner %x: float32[8,4]', 23, /not declared above/],
  [
    'imported',
    'weight %w: float32[4,4] = fill "AACAPw=="',
    'weight %w: float32[4,?] = fill "AACAPw=="',
    25,
    /a weight/,
  ],
  [
    'imported',
    'weight %w: float32[4,4] = fill "AACAPw=="',
    'weight %w: float32[4,4] = full "AACAPw=="',
    27,
    /where the weight is/,
  ],
  ['imported', 'weight %w: float32[4,4] = fill "AACAPw=="', 'weight %w: float32[4,4] = file "w.bin" 0', 41, /"\+"/],
  ['imported', 'weight %w: float32[4,4] = fill "AACAPw=="', 'weight %w: float32[4,4] = fill "\\q"', 32, /JSON/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%t) ; relu', 13, /declared above \(not t\)/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s', 13, /","/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s)', 14, /origin/],
  ['imported', '%y = Relu(%s) ; relu', '%y Relu(%s) ; relu', 4, /","/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s[0:4]) ; relu', 18, /a region of s/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s~mean0/2) ; relu', 21, /sum or max/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s) {alpha} ; relu', 21, /"="/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s) {alpha=high} ; relu', 22, /a number/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s) crop [a] ; relu', 24, /a region to crop to/],
  ['imported', '%y = Relu(%s) ; relu', '%y = Relu(%s) scale much ; relu', 21, /a number/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', 'a: send %x[4:8,:] from b on 0 ; mm1', 19, /"to"/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', 'a: send %x[4:8,:] to b on first ; mm1', 27, /a whole number/],
  ['linked', 'b: %x[4:8,:] = recv from a on 0 ; mm1', 'b:  = recv from a on 0 ; mm1', 24, /a value/],
  ['linked', 'placement a a', 'placement a', 12, /a name/],
];

for (const [stage, line, instead, column, expected] of broken) {
  test(`${instead} (${stage})`, async () => {
    const text = withLine(tiny[stage], line, instead);
    const { message, context } = await errorOf('program-text', () => parseProgram(text));
    assert.equal(context.at, [`line ${tiny[stage].split('\n').indexOf(line) + 1}, column ${column}`], message);
    assert.match(message, expected);
    assert.ok(context.hint);
  });
}

test('no text at all', async () => {
  const { context } = await errorOf('program-text', () => parseProgram(''));
  assert.equal(context.at, ['line 1, column 1']);
});

test.run();
