/**
 * Makes smaller what crosses: of the tensors for which the plan names an encoding, the sender encodes what it sends and the
 * receiver decodes what it receives. What a device reads of its own stays exact.
 *
 *     a: send %h[:,:,4:5,:] to b on 0 ; conv2
 *     b: %h[:,:,4:5,:] = recv from a on 0 ; conv2
 *
 *     a: %h/float16[:,:,4:5,:] = Cast(%h[:,:,4:5,:]) {to=10} ; h/float16
 *     a: send %h/float16[:,:,4:5,:] to b on 0 ; conv2
 *     b: %h/float16[:,:,4:5,:] = recv from a on 0 ; conv2
 *     b: %h[:,:,4:5,:] = Cast(%h/float16[:,:,4:5,:]) {to=1} ; h/float16
 */
import { CompileError } from '../compiler/error.ts';
import type { Compute, Literal, Operator, Program, Receive, Send, Tensor, Value } from '../compiler/ir/program.ts';
import { tensorOf, valueKey } from '../compiler/ir/program.ts';
import type { Pass } from '../compiler/pass.ts';
import {
  type Coder,
  type Conversion,
  coderOf,
  encodingName,
  type PerChannel,
  refusal,
} from '../compiler/planning/encodings.ts';
import type { Encoding, Plan } from '../compiler/planning/plan.ts';

const refuse = (tensor: string, message: string): never => {
  throw new CompileError('plan-encoding', message, {
    at: [`plan, encoding of "${tensor}"`],
    hint: 'leave it out: it crosses as it is then',
  });
};

/** Literals have none: they stand where they are read. */
const parameterName = (encoded: string, parameter: Literal | PerChannel): string =>
  parameter.kind === 'literal' ? encoded : `${encoded}/${parameter.name}`;

/** The encoded form of one tensor. */
interface Encoded extends Coder {
  readonly tensor: Tensor;
}

class Encoder {
  readonly tensors: Map<string, Tensor>;
  readonly operators: Operator[] = [];
  private readonly encoded = new Map<string, Encoded>();
  private readonly made = new Set<string>();

  constructor(
    private readonly program: Program<'linked'>,
    encodings: NonNullable<Plan['encodings']>,
  ) {
    this.tensors = new Map(program.tensors);
    const taken = new Set([...program.tensors.keys(), ...program.operators.map(({ origin }) => origin)]);
    for (const [tensor, encoding] of Object.entries(encodings)) this.declare(tensor, encoding, taken);
  }

  private declare(tensor: string, encoding: Encoding, taken: Set<string>): void {
    const why = refusal(this.program, tensor, encoding);
    if (why) refuse(tensor, why);
    const coder = coderOf(encoding);
    let name = `${tensor}/${encodingName(encoding)}`;
    while (taken.has(name) || coder.encode.parameters.some((one) => taken.has(parameterName(name, one)))) name += '_';
    taken.add(name);
    const { shape } = tensorOf(this.program, tensor);
    this.encoded.set(tensor, { ...coder, tensor: { name, role: 'inner', dtype: coder.dtype, shape, encodes: tensor } });
  }

  run(): this {
    for (const operator of this.program.operators) {
      const { kind } = operator;
      const encoded = kind === 'send' || kind === 'receive' ? this.encoded.get(operator.value.tensor) : undefined;
      if (encoded && kind === 'send') this.send(operator, encoded);
      else if (encoded && kind === 'receive') this.receive(operator, encoded);
      else this.operators.push(operator);
    }
    return this;
  }

  private send(operator: Send, { tensor, dtype, encode }: Encoded): void {
    const { device, value } = operator;
    if (value.partial && dtype !== 'float16')
      refuse(value.tensor, 'addends of it cross, and its range says nothing of theirs');
    this.tensors.set(tensor.name, tensor);
    const small: Value = { ...value, tensor: tensor.name };
    // What goes to several devices is encoded once.
    const key = `${device} ${valueKey(small)}`;
    if (!this.made.has(key)) this.convert(device, encode, value, small, tensor.name);
    this.made.add(key);
    this.operators.push({ ...operator, value: small });
  }

  private receive(operator: Receive, { tensor, decode }: Encoded): void {
    const { device, value } = operator;
    const small: Value = { ...value, tensor: tensor.name };
    this.operators.push({ ...operator, value: small });
    this.convert(device, decode, small, value, tensor.name);
  }

  /** @param origin none of the model's operators: what those cost says nothing of it */
  private convert(device: string | null, conversion: Conversion, from: Value, to: Value, origin: string): void {
    const { type, parameters, attributes } = conversion;
    const operands: Pick<Compute, 'inputs' | 'outputs' | 'captures'> = {
      inputs: [from, ...parameters.map((parameter) => this.parameter(parameter, from, origin))],
      outputs: [to],
      captures: [],
    };
    this.operators.push({ kind: 'compute', device, type, domain: '', attributes, ...operands, origin });
  }

  /** A constant as the conversion of a value reads it. @param encoded name of the encoded tensor */
  private parameter(parameter: Literal | PerChannel, { region }: Value, encoded: string): Literal | Value {
    if (parameter.kind === 'literal') return parameter;
    const { axis, data } = parameter;
    const name = parameterName(encoded, parameter);
    this.tensors.set(name, {
      ...{ name, role: 'weight', dtype: data instanceof Uint8Array ? 'uint8' : 'float32', shape: [data.length] },
      source: { kind: 'inline', bytes: new Uint8Array(data.buffer) },
    });
    return { kind: 'value', tensor: name, region: [region?.[axis] ?? [0, data.length]] };
  }
}

export const encodeTransfers: Pass<'linked'> = {
  name: 'encode-transfers',
  from: 'linked',
  to: 'linked',
  run(program, { plan }) {
    const { tensors, operators } = new Encoder(program, plan?.encodings ?? {}).run();
    return { ...program, tensors, operators };
  },
};
