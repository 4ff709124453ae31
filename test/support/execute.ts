/** Runs a program of any stage, one operator at a time on onnxruntime, regions cut and joined in plain JavaScript. */
import * as ort from 'onnxruntime-node';
import type { Combine, Compute, Literal, Operator, Program, Value } from '../../compiler/ir/program.ts';
import { tensorOf, valueKey, wholeValue } from '../../compiler/ir/program.ts';
import { count, equalRegions, intersect, isEmpty, lengths, type Region, relativeTo } from '../../compiler/ir/region.ts';
import { encodeAttribute, valueInfo } from '../../compiler/onnx/encode.ts';
import { onnx } from '../../compiler/onnx/proto.ts';
import { readRegion } from '../../compiler/onnx/weights.ts';
import { arrayOver, onnxNumber } from '../../runtime/dtype.ts';
import type { Tensor } from '../../runtime/program.ts';
import { cutOut, paste, zerosLike, zip } from './arrays.ts';

interface Held {
  readonly device: string | null;
  readonly value: Value;
  readonly data: Tensor;
}

const COMBINE: Record<Combine, <T extends number | bigint>(x: T, y: T) => T> = {
  sum: (x, y) => ((x as number) + (y as number)) as typeof x,
  prod: (x, y) => ((x as number) * (y as number)) as typeof x,
  max: (x, y) => (x > y ? x : y),
  min: (x, y) => (x < y ? x : y),
};

const fromOrt = ({ type, dims, data }: ort.Tensor): Tensor => ({ type, dims, data }) as Tensor;
const toOrt = ({ type, dims, data }: Tensor): ort.Tensor => new ort.Tensor(type, data as Float32Array, dims);

function literalTensor({ dtype, shape, data }: Literal): Tensor {
  const array =
    dtype === 'int64'
      ? BigInt64Array.from(data, BigInt)
      : dtype === 'int32'
        ? Int32Array.from(data)
        : dtype === 'uint8'
          ? Uint8Array.from(data)
          : Float32Array.from(data);
  return { type: dtype, dims: shape, data: array } as Tensor;
}

export class Executor {
  private readonly held = new Map<string, Held[]>();
  private readonly inTransit = new Map<number, Tensor>();

  /** @param wire what becomes of a value on its way to another device */
  constructor(
    private readonly program: Program,
    private readonly wire: (value: Value, data: Tensor) => Tensor = (_, data) => data,
  ) {}

  async run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const { program } = this;
    for (const name of program.inputs) {
      this.hold(program.placement?.inputs ?? null, wholeValue(tensorOf(program, name)), inputs[name]!);
    }
    for (const operator of program.operators) await this.step(operator);
    const outputs: Record<string, Tensor> = {};
    for (const name of program.outputs) {
      outputs[name] = await this.read(program.placement?.outputs ?? null, wholeValue(tensorOf(program, name)));
    }
    return outputs;
  }

  private hold(device: string | null, value: Value, data: Tensor): void {
    if (value.region && lengths(value.region).join() !== data.dims.join()) {
      throw new Error(`${valueKey(value)} has shape [${data.dims}]`);
    }
    this.held.set(value.tensor, [...(this.held.get(value.tensor) ?? []), { device, value, data }]);
  }

  private async step(operator: Operator): Promise<void> {
    const { device } = operator;
    switch (operator.kind) {
      case 'compute':
        return this.compute(operator);
      case 'assemble': {
        const parts = await Promise.all(
          operator.inputs.map(async (value) => ({ device, value, data: await this.exact(device, value) })),
        );
        return this.hold(device, operator.output, this.assemble(parts, operator.output));
      }
      case 'send':
        this.inTransit.set(operator.channel, this.wire(operator.value, await this.exact(device, operator.value)));
        return;
      case 'receive':
        return this.hold(device, operator.value, this.inTransit.get(operator.channel)!);
      default:
        return operator satisfies never;
    }
  }

  /** What a device may read at this stage: linked, only what it has; assembled, what any has as such; before, any region. */
  private async read(device: string | null, value: Value): Promise<Tensor> {
    const tensor = tensorOf(this.program, value.tensor);
    if (tensor.role === 'weight') {
      if (tensor.source.kind === 'strings')
        return { type: 'string', dims: tensor.shape, data: [...tensor.source.values] };
      const chunks: Uint8Array[] = [];
      for await (const chunk of readRegion(tensor, value.region!)) chunks.push(chunk);
      const { dtype } = tensor;
      if (dtype === 'string') throw new Error('strings have no bytes');
      return {
        type: dtype,
        dims: lengths(value.region!),
        data: arrayOver(dtype, new Uint8Array(Buffer.concat(chunks))),
      } as Tensor;
    }
    const { stage } = this.program;
    if (stage === 'linked') return this.exact(device, value);
    if (stage === 'assembled') return this.exact(null, value);
    const pieces = this.held.get(value.tensor) ?? [];
    const same = pieces.find((piece) => valueKey(piece.value) === valueKey(value));
    return same ? same.data : this.assemble(pieces, value);
  }

  private async exact(device: string | null, value: Value): Promise<Tensor> {
    const anywhere = device === null || this.program.stage === 'assembled';
    const found = (this.held.get(value.tensor) ?? []).find(
      (piece) => (anywhere || piece.device === device) && valueKey(piece.value) === valueKey(value),
    );
    if (found) return found.data;
    throw new Error(`${device} does not have ${valueKey(value)}`);
  }

  private assemble(pieces: readonly Held[], wanted: Value): Tensor {
    const region = wanted.region!;
    const complete = [...pieces.filter(({ value }) => Boolean(value.partial) === Boolean(wanted.partial))];
    if (!wanted.partial) complete.push(...this.sums(pieces));
    const result = zerosLike(pieces[0]!.data, lengths(region));
    const filled = new Uint8Array(count(region));
    for (const { value, data } of complete) {
      const shared = intersect(region, value.region!);
      if (isEmpty(shared)) continue;
      paste(result, relativeTo(shared, region), cutOut(data, relativeTo(shared, value.region!)));
      const mask: Tensor = { type: 'uint8', dims: lengths(region), data: filled };
      paste(mask, relativeTo(shared, region), {
        type: 'uint8',
        dims: lengths(shared),
        data: new Uint8Array(count(shared)).fill(1),
      });
    }
    if (filled.includes(0)) throw new Error(`nothing fills ${valueKey(wanted)}`);
    return result;
  }

  /** Partials of one region, combined. */
  private sums(pieces: readonly Held[]): Held[] {
    return pieces
      .filter(({ value }) => value.partial?.index === 0)
      .flatMap((first): Held[] => {
        const { combine, count: addends } = first.value.partial!;
        const group = Array.from({ length: addends }, (_, i) =>
          pieces.find(({ value }) => value.partial?.index === i && equalRegions(value.region!, first.value.region!)),
        );
        if (group.includes(undefined)) return [];
        const data = group.map((piece) => piece!.data).reduce((a, b) => zip(a, b, COMBINE[combine]));
        return [
          {
            device: first.device,
            value: { kind: 'value', tensor: first.value.tensor, region: first.value.region },
            data,
          },
        ];
      });
  }

  /** An output of any size: an operator may make more than its crop keeps. */
  private openInfo(name: string, { tensor }: Value) {
    const { dtype, shape } = tensorOf(this.program, tensor);
    if (dtype === null) throw new Error(`${tensor} is no tensor`);
    return valueInfo(
      name,
      dtype,
      shape.map(() => null),
    );
  }

  private async compute(operator: Compute): Promise<void> {
    const { device, crop, scale } = operator;
    const feeds: Record<string, ort.Tensor> = {};
    const initializers: InstanceType<typeof onnx.TensorProto>[] = [];
    const input: string[] = [];
    for (const [i, operand] of operator.inputs.entries()) {
      input.push(operand === null ? '' : `i${i}`);
      if (operand === null) continue;
      const tensor = operand.kind === 'literal' ? literalTensor(operand) : await this.read(device, operand);
      // Shapes, axes and the like must be constants; small tensors of the other kinds may be.
      const known = operand.kind === 'literal' || tensorOf(this.program, operand.tensor).role === 'weight';
      if (known && tensor.type !== 'string') {
        const bytes = tensor.data as Float32Array;
        const rawData = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
        const dataType = onnxNumber(tensor.type);
        initializers.push(onnx.TensorProto.create({ name: `i${i}`, dims: [...tensor.dims], dataType, rawData }));
      } else feeds[`i${i}`] = toOrt(tensor);
    }
    for (const value of operator.captures) feeds[value.tensor] = toOrt(await this.read(device, value));
    const outputs = operator.outputs.map((output, i) => (output || operator.type === 'Split' ? `o${i}` : ''));
    const model = onnx.ModelProto.create({
      irVersion: 8,
      opsetImport: Object.entries(this.program.opsets).map(([domain, version]) => ({ domain, version })),
      graph: {
        name: operator.origin,
        node: [
          {
            opType: operator.type,
            domain: operator.domain,
            input,
            output: outputs,
            attribute: Object.entries(operator.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
          },
        ],
        initializer: initializers,
        input: Object.entries(feeds).map(([name, { type, dims }]) => valueInfo(name, type as Tensor['type'], dims)),
        output: operator.outputs.flatMap((output, i) => (output ? [this.openInfo(`o${i}`, output)] : [])),
      },
    });
    const session = await ort.InferenceSession.create(onnx.ModelProto.encode(model).finish(), {
      intraOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    const results = await session.run(feeds);
    for (const [i, output] of operator.outputs.entries()) {
      if (!output) continue;
      let data = fromOrt(results[`o${i}`]!);
      if (i === 0 && crop) data = cutOut(data, crop as Region);
      if (i === 0 && scale !== undefined)
        data = { ...data, data: (data.data as Float32Array).map((x) => x * scale) } as Tensor;
      this.hold(device, output, data);
    }
    await session.release();
  }
}

export const execute = (
  program: Program,
  inputs: Readonly<Record<string, Tensor>>,
  wire?: (value: Value, data: Tensor) => Tensor,
) => new Executor(program, wire).run(inputs);
