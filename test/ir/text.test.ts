/** The text form of programs: printed and read back, whatever is in them. */
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgram } from '../../compiler/ir/parse.ts';
import { formatAttribute, formatProgram } from '../../compiler/ir/text.ts';
import { program } from '../support/arbitrary-program.ts';

const test = suite('text');

/** Numbers as text: floats are written as short as float32 allows, and equality does not tell -0 from 0. */
const exact = (value: number) => (Object.is(value, -0) ? '-0' : String(value));
const rounded = (value: number) => exact(Math.fround(value));
const plain = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (_, one) => {
      if (one instanceof Map || one instanceof Uint8Array) return [...one];
      if (one?.kind === 'float') return { ...one, value: rounded(one.value) };
      if (one?.kind === 'floats') return { ...one, value: one.value.map(rounded) };
      if (one?.dtype === 'float32' && one.data) return { ...one, data: one.data.map(rounded) };
      return typeof one === 'number' ? exact(one) : one;
    }),
  );

test('a program reads back as it was', () => {
  fc.assert(
    fc.property(program, (original) => {
      const text = formatProgram(original);
      const back = parseProgram(text);
      assert.equal(plain(back), plain(original));
      assert.is(formatProgram(back), text);
    }),
    { numRuns: 300 },
  );
});

test('an int and a float of the same value stay what they are', () => {
  const kinds = (attribute: string) => {
    const lines = [
      'program "p" imported',
      'ir 8, opset ai.onnx 17',
      'inputs %x',
      'outputs %x',
      '',
      'input %x: float32[1]',
      '',
    ];
    const [operator] = parseProgram([...lines, `%x = Relu(%x) {a=${attribute}} ; relu`, ''].join('\n')).operators;
    return operator?.kind === 'compute' ? operator.attributes.a : undefined;
  };
  assert.equal(kinds('1'), { kind: 'int', value: 1 });
  assert.equal(kinds('1.0'), { kind: 'float', value: 1 });
  assert.equal(kinds('1e-45'), { kind: 'float', value: 1e-45 });
  assert.equal(kinds('-inf'), { kind: 'float', value: -Infinity });
  assert.ok(Object.is((kinds('-0.0') as { value: number }).value, -0));
  assert.equal(kinds('[1,2]'), { kind: 'ints', value: [1, 2] });
  assert.equal(kinds('floats[1.0]'), { kind: 'floats', value: [1] });
});

test('floats are written as short as float32 allows', () => {
  const float = (value: number) => formatAttribute({ kind: 'float', value });
  assert.is(float(Math.fround(0.1)), '0.1');
  assert.is(float(1), '1.0');
  assert.is(float(-0), '-0.0');
  assert.is(float(1.401298464324817e-45), '1e-45');
  assert.is(float(Math.fround(3.4028234e38)), '3.4028235e+38');
  assert.is(float(Number.NaN), 'nan');
});

test('line ends of Windows are read', () => {
  const text = 'program "p" imported\nir 8, opset ai.onnx 17\ninputs %x\noutputs %x\n\ninput %x: float32[1]\n\n';
  assert.is(formatProgram(parseProgram(text.replaceAll('\n', '\r\n'))), text);
});

test.run();
