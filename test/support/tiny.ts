/** Two matrix products and their sum over two devices, as a dump of each stage: small enough to break by hand. */

const head = (stage: string, placement = '') => `program "tiny" ${stage}
ir 8, opset ai.onnx 17
inputs %x
outputs %y
${placement}
input %x: float32[8,4]
weight %w: float32[4,4] = fill "AACAPw=="
inner %h: float32[8,4]
inner %s: float32[8,4]
inner %seq: opaque[?]
output %y: float32[8,4]
`;
const placed = (stage: string) => head(stage, 'placement a a\n');

export const tiny = {
  imported: `${head('imported')}
%h = MatMul(%x, %w) ; mm1
%s = MatMul(%h, %w) ; mm2
%y = Relu(%s) ; relu
`,
  split: `${placed('split')}
a: %h[0:4,:] = MatMul(%x[0:4,:], %w) ; mm1
b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1
a: %s~sum0/2 = MatMul(%h[:,0:2], %w[0:2,:]) ; mm2
b: %s~sum1/2 = MatMul(%h[:,2:4], %w[2:4,:]) ; mm2
a: %y = Relu(%s) ; relu
`,
  assembled: `${placed('assembled')}
a: %h[0:4,:] = MatMul(%x, %w) ; mm1
a: %x[4:8,:] = assemble(%x) ; mm1
b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1
a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2
a: %s~sum0/2 = MatMul(%h, %w[0:2,:]) ; mm2
b: %s~sum1/2 = MatMul(%h, %w[2:4,:]) ; mm2
a: %s = assemble(%s~sum0/2, %s~sum1/2) ; relu
a: %y = Relu(%s) ; relu
`,
  linked: `${placed('linked')}
a: %x[4:8,:] = assemble(%x) ; mm1
a: send %x[4:8,:] to b on 0 ; mm1
b: %x[4:8,:] = recv from a on 0 ; mm1
a: %h[0:4,:] = MatMul(%x, %w) ; mm1
b: %h[4:8,:] = MatMul(%x[4:8,:], %w) ; mm1
b: send %h[4:8,:] to a on 1 ; mm2
a: %h[4:8,:] = recv from b on 1 ; mm2
a: %h = assemble(%h[0:4,:], %h[4:8,:]) ; mm2
a: %s = MatMul(%h, %w) ; mm2
a: %y = Relu(%s) ; relu
`,
} as const;

/** The linked one, h encoded where it crosses. */
export const tinyEncoded = tiny.linked
  .replace('inner %seq', 'inner %h/float16: float16[8,4] encodes %h\ninner %seq')
  .replace(
    `b: send %h[4:8,:] to a on 1 ; mm2
a: %h[4:8,:] = recv from b on 1 ; mm2
`,
    `b: %h/float16[4:8,:] = Cast(%h[4:8,:]) {to=10} ; h/float16
b: send %h/float16[4:8,:] to a on 1 ; mm2
a: %h/float16[4:8,:] = recv from b on 1 ; mm2
a: %h[4:8,:] = Cast(%h/float16[4:8,:]) {to=1} ; h/float16
`,
  );

/** `text` with one line in place of another; fails if there is no such line. */
export function withLine(text: string, line: string, ...instead: readonly string[]): string {
  const lines = text.split('\n');
  const at = lines.indexOf(line);
  if (at < 0) throw new Error(`no line ${line}`);
  return lines.toSpliced(at, 1, ...instead).join('\n');
}
