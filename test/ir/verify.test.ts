/** What each stage promises: a program that breaks one promise is refused, and the error names the pass and the operator. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseProgram } from '../../compiler/ir/parse.ts';
import type { Program, Stage } from '../../compiler/ir/program.ts';
import { verifyProgram } from '../../compiler/ir/verify.ts';
import { errorOf } from '../support/error.ts';
import { tiny, tinyEncoded, withLine } from '../support/tiny.ts';

const test = suite('verify');
const devices = ['a', 'b'];

test('programs that keep every promise pass', () => {
  for (const text of [...Object.values(tiny), tinyEncoded]) verifyProgram(parseProgram(text), 'test', devices);
});

/** Stage, a line of its program, what stands there instead, what the error says. */
// biome-ignore format: one row a case
const broken: readonly (readonly [Stage, string, readonly string[], RegExp])[] = [
  // Every stage: names, order, roles, regions.
  ['imported', 'inputs %x', ['inputs %z'], /no tensor z/],
  ['imported', 'inputs %x', ['inputs %h'], /h is no input/],
  ['imported', 'outputs %y', ['outputs %z'], /no tensor z/],
  ['imported', '%y = Relu(%s) ; relu', [], /output y is not made/],
  ['imported', '%h = MatMul(%x, %w) ; mm1', ['%w = MatMul(%x, %w) ; mm1'], /writes weight w/],
  ['imported', '%h = MatMul(%x, %w) ; mm1', ['%x = MatMul(%x, %w) ; mm1'], /writes input x/],
  ['imported', '%h = MatMul(%x, %w) ; mm1', [], /nobody made %h before it is read/],
  ['imported', '%y = Relu(%s) ; relu', ['%y = Relu(%y) ; relu'], /nobody made %y/],
  ['imported', '%y = Relu(%s) ; relu', ['%y = Relu(%s) captures(%seq) ; relu'], /nobody made %seq/],
  ['split', 'a: %y = Relu(%s) ; relu', ['a: %y = Relu(%s[0:9,:]) ; relu'], /lies outside \[8,4\]/],
  ['split', 'a: %y = Relu(%s) ; relu', ['a: %y = Relu(%s[5:4,:]) ; relu'], /lies outside/],
  // imported: whole tensors, no devices, one operator a node.
  ['imported', '%y = Relu(%s) ; relu', ['a: %y = Relu(%s) ; relu'], /a device where none belongs/],
  ['imported', '%y = Relu(%s) ; relu', ['%y = Relu(%s[0:4,:]) ; relu'], /a part of a tensor before the split/],
  ['imported', '%y = Relu(%s) ; relu', ['%y~sum0/1 = Relu(%s) ; relu'], /an addend before the split/],
  ['imported', '%y = Relu(%s) ; relu', ['%y = Relu(%s) ; mm2'], /two operators of origin "mm2"/],
  ['imported', '%y = Relu(%s) ; relu', ['%y = assemble(%s) ; relu'], /assemble before its stage/],
  ['imported', '', ['placement a a', ''], /a placement where none belongs/],
  ['imported', '%y = Relu(%s) ; relu', ['%s = Relu(%s) ; relu', '%y = Relu(%s) ; relu2'], /computes a part of %s twice/],
  // split: every operator on a device, every element made before it is read, none twice on a device.
  ['split', 'placement a a', [], /a placement .* or none/],
  ['split', 'a: %y = Relu(%s) ; relu', ['%y = Relu(%s) ; relu'], /a device .* or none/],
  ['split', 'a: %y = Relu(%s) ; relu', ['c: %y = Relu(%s) ; relu'], /no device c in the cluster/],
  ['split', 'placement a a', ['placement a c'], /no device c in the cluster/],
  ['split', 'a: %y = Relu(%s) ; relu', ['a: %y = assemble(%s) ; relu'], /assemble before its stage/],
  ['split', 'b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1', ['b: %h[5:8,:] = MatMul(%x[5:8,:], %w) ; mm1'], /nobody made %h/],
  ['split', 'b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1', ['a: %h[3:8,:] = MatMul(%x[3:8,:], %w) ; mm1'], /%h\[3:8,:\] twice on a/],
  ['split', 'b: %s~sum1/2 = MatMul(%h[:,2:4], %w[2:4,:]) ; mm2', [], /nobody made %s /],
  ['split', 'b: %s~sum1/2 = MatMul(%h[:,2:4], %w[2:4,:]) ; mm2', ['b: %s~sum0/2 = MatMul(%h[:,0:2], %w[0:2,:]) ; mm2'], /nobody made %s /],
  ['split', 'b: %s~sum1/2 = MatMul(%h[:,2:4], %w[2:4,:]) ; mm2', ['b: %s~sum2/2 = MatMul(%h[:,2:4], %w[2:4,:]) ; mm2'], /addend 2 of 2/],
  ['split', 'a: %y = Relu(%s) ; relu', ['a: %y = Relu(%s~sum0/2) ; relu'], /an addend as if it were the sum/],
  ['split', 'a: %y = Relu(%s) ; relu', ['a: %y[0:4,:] = Relu(%s[0:4,:]) ; relu'], /output y is not made/],
  // assembled: what is read exists as such somewhere.
  ['assembled', 'a: %x[4:8,:] = assemble(%x) ; mm1', [], /no device has %x\[4:8,:\] as such/],
  ['assembled', 'a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2', [], /no device has %h as such/],
  ['assembled', 'a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2', ['a: %h = assemble(%h[0:4,:]) ; mm2'], /do not cover/],
  ['assembled', 'a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2', ['a: %h = assemble(%h[0:4,:], %x[4:8,:]) ; mm2'], /assembles another tensor/],
  ['assembled', 'a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu', ['a: %s = assemble(%s~sum0/2) ; relu'], /some partials only/],
  ['assembled', 'a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu', ['a: %s = assemble(%s~sum0/2, %s~sum0/2) ; relu'], /some partials only/],
  ['assembled', 'a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu', ['a: %s = assemble(%s~sum0/2, %s~max1/2) ; relu'], /some partials only/],
  ['assembled', 'a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu', ['a: %s = assemble(%s~sum0/2, %s[0:4,:]~sum1/2) ; relu'], /other regions/],
  ['assembled', 'a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu', ['a: %s~sum1/2 = assemble(%s~sum0/2) ; relu'], /an addend of something else/],
  ['assembled', 'a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2', ['a: %h~sum0/2 = assemble(%h[0:4,:], %h[4:8,:]) ; mm2'], /an addend of something else/],
  ['assembled', 'a: %x[4:8,:] = assemble(%x) ; mm1', ['a: %x[4:8,:] = assemble(%x) ; mm1', 'a: send %x to b on 0 ; mm1'], /send before its stage/],
  // linked: what is read exists on the device that reads it; sends and receives are pairs.
  ['linked', 'a: %x[4:8,:] = assemble(%x) ; mm1', [], /a does not have %x\[4:8,:\]/],
  ['linked', 'b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1', ['b: %h[4:8,:] = MatMul(%x, %w) ; mm1'], /b does not have %x/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', [], /receives what nobody sends/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', ['a: send %x to b on 0 ; mm1'], /receives what nobody sends/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', ['a: send %x[4:8,:] to b on 2 ; mm1'], /receives what nobody sends/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', ['a: send %x[4:8,:] to a on 0 ; mm1'], /receives what nobody sends/],
  ['linked', 'a: send %x[4:8,:] to b on 0 ; mm1', ['a: send %x[4:8,:] to c on 0 ; mm1'], /no device c in the cluster/],
  ['linked', 'b: %x[4:8,:] = recv from a on 0 ; mm1', ['b: %x[4:8,:] = recv from b on 0 ; mm1'], /receives what nobody sends/],
  ['linked', 'b: send %h[4:8,:] to a on 1 ; mm2', ['b: send %h[4:8,:] to a on 1 ; mm2', 'b: send %h[4:8,:] to a on 2 ; mm2'], /sends what nobody receives/],
  ['linked', 'b: send %h[4:8,:] to a on 1 ; mm2', ['b: send %h[4:8,:] to a on 0 ; mm2'], /channel 0 is sent on twice/],
  ['linked', 'a: %s = MatMul(%h, %w) ; mm2', ['a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2', 'a: %s = MatMul(%h, %w) ; mm2'], /makes %h twice on a/],
  ['linked', 'placement a a', ['placement a b'], /output y is not made/],
];

for (const [stage, line, instead, message] of broken) {
  test(`${stage}: ${instead.join(' and ') || `without ${line}`}`, async () => {
    const program = parseProgram(withLine(tiny[stage], line, ...instead));
    const error = await errorOf('program-invalid', () => verifyProgram(program, 'break-it', devices));
    assert.match(error.message, message);
    assert.is(error.context.at![0], `pass break-it, stage ${stage}`);
  });
}

const encodes = 'inner %h/float16: float16[8,4] encodes %h';
const [encode, decode] = [
  'b: %h/float16[4:8,:] = Cast(%h[4:8,:]) {to=10} ; h/float16',
  'a: %h[4:8,:] = Cast(%h/float16[4:8,:]) {to=1} ; h/float16',
];
/** A line of the encoded program, what stands there instead, what the error says. */
// biome-ignore format: one row a case
const wronglyEncoded: readonly (readonly [string, readonly string[], RegExp])[] = [
  [encodes, ['inner %h/float16: float16[8,4] encodes %z'], /no tensor z/],
  [encodes, ['inner %h/float16: float16[4,8] encodes %h'], /h\/float16 cannot encode h/],
  [encodes, ['output %h/float16: float16[8,4] encodes %h'], /h\/float16 cannot encode h/],
  [encodes, ['inner %h/float16: float16[4,4] encodes %w'], /h\/float16 cannot encode w/],
  [encodes, [encodes, 'inner %h/int8: uint8[8,4] encodes %h/float16'], /h\/int8 cannot encode h\/float16/],
  [encode, [], /b does not have %h\/float16/],
  [encode, ['b: %h/float16[4:8,:] = Cast(%h[4:6,:]) {to=10} ; h/float16'], /encodes other elements than it reads/],
  [encode, [encode, encode], /computes a part of %h\/float16\[4:8,:\] twice on b/],
  [decode, [], /a does not have %h\[4:8,:\]/],
  [decode, ['a: %h[4:7,:] = Cast(%h/float16[4:8,:]) {to=1} ; h/float16'], /decodes other elements than it reads/],
  [decode, ['a: %h[4:8,:]~sum0/2 = Cast(%h/float16[4:8,:]) {to=1} ; h/float16'], /decodes other elements than it reads/],
  [decode, [decode, 'a: %y = Relu(%h/float16[4:8,:]) ; relu'], /computes with encoded elements/],
  [decode, [decode, 'a: %s = Cast(%h/float16[4:8,:]) {to=1} ; h/float16'], /computes with encoded elements/],
];
for (const [line, instead, message] of wronglyEncoded) {
  test(`encoded: ${instead.join(' and ') || `without ${line}`}`, async () => {
    const program = parseProgram(withLine(tinyEncoded, line, ...instead));
    const error = await errorOf('program-invalid', () => verifyProgram(program, 'break-it', devices));
    assert.match(error.message, message);
  });
}

test('encoded: not before there are transfers', async () => {
  const program = parseProgram(withLine(tiny.split, 'inner %seq: opaque[?]', 'inner %seq: opaque[?]', encodes));
  const error = await errorOf('program-invalid', () => verifyProgram(program, 'break-it', devices));
  assert.match(error.message, /encoded before its stage/);
});

test('encoded: overlapping parts for several readers, and an input of the model', () => {
  const more = 'b: %h/float16[5:7,:] = Cast(%h[5:7,:]) {to=10} ; h/float16';
  const part = 'b: %h[5:7,:] = assemble(%h[4:8,:]) ; mm2';
  verifyProgram(parseProgram(withLine(tinyEncoded, encode!, encode!, part, more)), 'test', devices);
  const input = tiny.linked
    .replace('inner %seq', 'inner %x/float16: float16[8,4] encodes %x\ninner %seq')
    .replace('a: send %x[4:8,:]', 'a: %x/float16[4:8,:] = Cast(%x[4:8,:]) {to=10} ; e\na: send %x/float16[4:8,:]')
    .replace(
      'b: %x[4:8,:] = recv from a on 0 ; mm1',
      'b: %x/float16[4:8,:] = recv from a on 0 ; mm1\nb: %x[4:8,:] = Cast(%x/float16[4:8,:]) {to=1} ; d',
    );
  assert.match(input, /send %x\/float16.*\n.*recv/);
  verifyProgram(parseProgram(input), 'test', devices);
});

test('the error shows the operator as a dump shows it', async () => {
  const program = parseProgram(withLine(tiny.split, 'a: %y = Relu(%s) ; relu', 'a: %y = Relu(%s[0:9,:]) ; relu'));
  const error = await errorOf('program-invalid', () => verifyProgram(program, 'break-it'));
  assert.is(
    error.format(),
    [
      'program-invalid: %s[0:9,:] lies outside [8,4]',
      '  at pass break-it, stage split',
      '  at operator a: %y = Relu(%s[0:9,:]) ; relu',
      '  the pass broke what this stage promises; dump the stages before and after it with --dump',
    ].join('\n'),
  );
});

test('what the text form cannot say', async () => {
  const refuse = async (change: (program: Program) => object, message: RegExp) => {
    const program = parseProgram(tiny.imported);
    const error = await errorOf('program-invalid', () => verifyProgram({ ...program, ...change(program) }, 'test'));
    assert.match(error.message, message);
  };
  const renamed = (program: Program) => {
    const tensors = new Map(program.tensors);
    tensors.set('h', { ...tensors.get('s')! });
    return { tensors };
  };
  await refuse(renamed, /tensor s is kept under h/);
  const [first, ...rest] = parseProgram(tiny.imported).operators;
  const reading = (region: null | []) => ({
    operators: [{ ...first, inputs: [{ kind: 'value', tensor: region ? 'seq' : 'x', region }, null] }, ...rest],
  });
  await refuse(() => reading(null), /a region of x where its shape is not known, or none where it is/);
  await refuse(() => reading([]), /a region of seq where its shape is not known/);
});

test.run();
