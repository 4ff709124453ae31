/** Text form of a program: deterministic, one operator a line, read back by parse.ts. */
import type { Attribute, Literal, Operator, Program, Tensor, Value, WeightSource } from './program.ts';
import { isKnown } from './program.ts';
import { equalRegions, formatRegion, wholeRegion } from './region.ts';

const BARE = /^[A-Za-z0-9_./$@+-]+$/;
/** As JSON; the line ends that JSON leaves as they are would end a comment in a program. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(/[\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16)}`);
const quoteUnlessBare = (name: string): string => (BARE.test(name) ? name : quote(name));
export const formatName = (name: string): string => `%${quoteUnlessBare(name)}`;
/** An operator type `assemble` would read back as ours. */
const formatType = (type: string): string => (type === 'assemble' ? quote(type) : quoteUnlessBare(type));
const base64 = (bytes: Uint8Array): string => JSON.stringify(Buffer.from(bytes).toString('base64'));

/** Shortest decimal text that reads back as the same float32, always recognisable as a float. */
function formatFloat(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value < 0 ? '-inf' : 'inf';
  if (Object.is(value, -0)) return '-0.0';
  let text = String(value);
  for (let digits = 1; digits < 10; digits++) {
    const shorter = String(Number(value.toPrecision(digits)));
    if (Math.fround(Number(shorter)) === Math.fround(value)) {
      text = shorter;
      break;
    }
  }
  return /[.e]/.test(text) ? text : `${text}.0`;
}

export function formatAttribute(attribute: Attribute): string {
  switch (attribute.kind) {
    case 'int':
      return String(attribute.value);
    case 'float':
      return formatFloat(attribute.value);
    case 'string':
      return JSON.stringify(attribute.value);
    case 'ints':
      return `[${attribute.value.join(',')}]`;
    case 'floats':
      return `floats[${attribute.value.map(formatFloat).join(',')}]`;
    case 'strings':
      return `strings${JSON.stringify(attribute.value)}`;
    case 'proto':
      return `proto ${base64(attribute.bytes)}`;
    default:
      return attribute satisfies never;
  }
}

const formatLiteral = ({ dtype, shape, data }: Literal): string =>
  `${dtype}[${shape.join(',')}](${data.map((x) => (dtype === 'float32' ? formatFloat(x) : String(x))).join(',')})`;

/** `%h[:,:,0:4,:]`; the region is left out where it is whole. */
export function formatValue(program: Program, value: Value): string {
  const shape = program.tensors.get(value.tensor)?.shape;
  const whole = !value.region || (shape && isKnown(shape) && equalRegions(value.region, wholeRegion(shape)));
  const region = whole ? '' : formatRegion(value.region, shape);
  const { partial } = value;
  return `${formatName(value.tensor)}${region}${partial ? `~${partial.combine}${partial.index}/${partial.count}` : ''}`;
}

function formatSource(source: WeightSource): string {
  switch (source.kind) {
    case 'file':
      return `file ${JSON.stringify(source.file)} ${source.offset}+${source.length}`;
    case 'inline':
      return `data ${base64(source.bytes)}`;
    case 'fill':
      return `fill ${base64(source.bytes)}`;
    case 'strings':
      return `strings ${JSON.stringify(source.values)}`;
    default:
      return source satisfies never;
  }
}

function formatTensor(tensor: Tensor): string {
  const type = tensor.dtype ?? 'opaque';
  const shape = tensor.shape.map((size) => size ?? '?').join(',');
  const encodes = tensor.encodes === undefined ? '' : ` encodes ${formatName(tensor.encodes)}`;
  const source = tensor.role === 'weight' ? ` = ${formatSource(tensor.source)}` : '';
  return `${tensor.role} ${formatName(tensor.name)}: ${type}[${shape}]${encodes}${source}`;
}

/** One line, as in a dump. */
export function formatOperator(program: Program, operator: Operator): string {
  const value = (v: Value) => formatValue(program, v);
  const device = operator.device === null ? '' : `${operator.device}: `;
  const origin = ` ; ${quoteUnlessBare(operator.origin)}`;
  switch (operator.kind) {
    case 'compute': {
      const outputs = operator.outputs.map((output) => (output ? value(output) : '_')).join(', ');
      const inputs = operator.inputs.map((input) =>
        input === null ? '_' : input.kind === 'literal' ? formatLiteral(input) : value(input),
      );
      const attributes = Object.entries(operator.attributes).map(
        ([name, attribute]) => `${quoteUnlessBare(name)}=${formatAttribute(attribute)}`,
      );
      const domain = operator.domain ? `${quoteUnlessBare(operator.domain)}::` : '';
      return [
        `${device}${outputs} = ${domain}${formatType(operator.type)}(${inputs.join(', ')})`,
        attributes.length ? ` {${attributes.join(', ')}}` : '',
        operator.captures.length ? ` captures(${operator.captures.map(value).join(', ')})` : '',
        operator.crop ? ` crop ${formatRegion(operator.crop)}` : '',
        operator.scale === undefined ? '' : ` scale ${operator.scale}`,
        origin,
      ].join('');
    }
    case 'assemble':
      return `${device}${value(operator.output)} = assemble(${operator.inputs.map(value).join(', ')})${origin}`;
    case 'send':
      return `${device}send ${value(operator.value)} to ${operator.to} on ${operator.channel}${origin}`;
    case 'receive':
      return `${device}${value(operator.value)} = recv from ${operator.from} on ${operator.channel}${origin}`;
    default:
      return operator satisfies never;
  }
}

/** The whole program; ends with a newline. */
export function formatProgram(program: Program): string {
  const opsets = Object.entries(program.opsets).map(
    ([domain, version]) => `${quoteUnlessBare(domain || 'ai.onnx')} ${version}`,
  );
  const lines = [
    `program ${JSON.stringify(program.name)} ${program.stage}`,
    `ir ${program.irVersion}, opset ${opsets.join(', ')}`,
    `inputs ${program.inputs.map(formatName).join(', ')}`,
    `outputs ${program.outputs.map(formatName).join(', ')}`,
    ...(program.placement ? [`placement ${program.placement.inputs} ${program.placement.outputs}`] : []),
    '',
    ...[...program.tensors.values()].map(formatTensor),
    '',
    ...program.operators.map((operator) => formatOperator(program, operator)),
  ];
  return `${lines.join('\n')}\n`;
}
