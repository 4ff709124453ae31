/** A segment as an ONNX model: its operators, the slices of weights they need, typed inputs and outputs. */
import { CompileError } from '../compiler/error.ts';
import type { Assemble, Compute, Literal, Program, Value } from '../compiler/ir/program.ts';
import { reads, tensorOf, valueKey, wholeValue, writes } from '../compiler/ir/program.ts';
import { count, formatRegion, lengths, type Region } from '../compiler/ir/region.ts';
import { valueInfo } from '../compiler/onnx/encode.ts';
import { createTensor, onnx } from '../compiler/onnx/proto.ts';
import { readRegion, textsOf } from '../compiler/onnx/weights.ts';
import { assemblingOpset, type Segment } from '../compiler/planning/schedule.ts';
import { bytesPerElement, onnxNumber } from '../runtime/dtype.ts';
import type { TensorSpec } from '../runtime/manifest.ts';
import { GraphBuilder } from './graph-builder.ts';
import type { Weight, WeightsFile } from './weights-file.ts';

/** Slices up to this many bytes stay inside the model. */
const INLINE = 1024;

const isWhole = (program: Program, value: Value): boolean =>
  !value.partial && valueKey(value) === valueKey(wholeValue(tensorOf(program, value.tensor)));

/** The tensor's name, with the region and the addend where it is not whole; a tensor of the model may be called just so. */
function valueName(program: Program, value: Value): string {
  if (isWhole(program, value)) return value.tensor;
  const { tensor, region, partial } = value;
  const { shape } = tensorOf(program, tensor);
  const spans = region?.some(([begin, end], i) => begin !== 0 || end !== shape[i]) ? formatRegion(region, shape) : '';
  return `${tensor}${spans}${partial ? `~${partial.combine}${partial.index}` : ''}`;
}

/** What crosses a device's or a segment's border. @throws opaque-value for what is no tensor JavaScript can hold */
export function specOf(program: Program, value: Value): TensorSpec {
  const { dtype, shape } = tensorOf(program, value.tensor);
  if (dtype === null) {
    throw new CompileError('opaque-value', `"${value.tensor}" is no tensor that onnxruntime-node can pass on`, {
      at: [`model ${program.name}`],
      hint: 'keep its producer and its readers on one device',
    });
  }
  return { name: valueName(program, value), dtype, shape: value.region ? lengths(value.region) : shape };
}

/**
 * Outputs of a segment that a Transpose before QuantizeLinear reads as well. onnxruntime (1.30) rounds first and transposes then,
 * if nobody else reads what is rounded; it forgets that a graph's output is read, and gives out the rounded one.
 */
function outputsNextToRounding({ operators, outputs }: Segment): Value[] {
  const rounded = new Set<string>();
  const moved = new Set<string>();
  for (const operator of operators.toReversed()) {
    if (operator.kind !== 'compute') continue;
    const moves = operator.type === 'Transpose' && writes(operator).some((value) => rounded.has(valueKey(value)));
    if (!moves && operator.type !== 'QuantizeLinear') continue;
    const [data] = reads(operator).map(valueKey);
    rounded.add(data!);
    if (moves) moved.add(data!);
  }
  return outputs.filter((value) => moved.has(valueKey(value)));
}

class SegmentModel {
  private readonly graph: GraphBuilder;
  private readonly opset: number;
  /** ONNX names by value, of all values in the segment; no two are the same. */
  private readonly names = new Map<string, string>();
  /** Other names that outputs have inside the segment: an Identity, a reader that onnxruntime sees, gives them out. */
  private readonly inner = new Map<string, string>();
  /** Names of the weights that are in the graph. */
  private readonly weights = new Set<string>();

  constructor(
    private readonly program: Program,
    private readonly segment: Segment,
    private readonly file: WeightsFile,
    private readonly location: string,
  ) {
    const own = program.opsets[''] ?? 1;
    this.opset = segment.operators.every(({ kind }) => kind === 'assemble') ? Math.max(own, assemblingOpset) : own;
    this.graph = new GraphBuilder(this.opset);
    this.reserveNames();
  }

  /** Whole tensors keep theirs: subgraphs know them by it. */
  private reserveNames(): void {
    const { operators, inputs, outputs } = this.segment;
    const values = [
      ...inputs,
      ...outputs,
      ...operators.flatMap((operator) => [...reads(operator), ...writes(operator)]),
    ];
    const whole = values.filter((value) => isWhole(this.program, value));
    for (const value of [...whole, ...values]) {
      const key = valueKey(value);
      if (!this.names.has(key)) this.names.set(key, this.graph.fresh(valueName(this.program, value)));
    }
    for (const value of outputsNextToRounding(this.segment)) {
      this.inner.set(valueKey(value), this.graph.fresh(`${this.nameOf(value)}.made`));
    }
  }

  private nameOf(value: Value): string {
    const key = valueKey(value);
    return this.inner.get(key) ?? this.names.get(key)!;
  }

  async build(): Promise<{ bytes: Uint8Array; inputs: TensorSpec[]; outputs: TensorSpec[] }> {
    const { segment } = this;
    const spec = (value: Value): TensorSpec => ({
      ...specOf(this.program, value),
      name: this.names.get(valueKey(value))!,
    });
    const inputs = segment.inputs.map(spec);
    const outputs = segment.outputs.map(spec);
    for (const operator of segment.operators) {
      if (operator.kind === 'compute') await this.compute(operator);
      else this.assemble(operator);
    }
    // Outputs of the model that are weights of it.
    for (const value of segment.outputs) await this.read(value);
    for (const [key, name] of this.inner) this.graph.node('Identity', [name], [this.names.get(key)!]);
    const info = ({ name, dtype, shape }: TensorSpec) => valueInfo(name, dtype, shape);
    const opsets = { ...this.program.opsets, '': this.opset };
    const model = onnx.ModelProto.create({
      // Initializers need not be graph inputs from IR 4 on; 8 is what current exporters write.
      irVersion: Math.max(8, this.program.irVersion),
      producerName: 'shardonnx',
      opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
      graph: {
        name: `segment ${segment.index}`,
        node: this.graph.nodes,
        initializer: this.graph.initializers,
        input: inputs.map(info),
        output: outputs.map(info),
      },
    });
    return { bytes: onnx.ModelProto.encode(model).finish(), inputs, outputs };
  }

  private async compute(operator: Compute): Promise<void> {
    const inputs: string[] = [];
    for (const [i, input] of operator.inputs.entries()) inputs.push(await this.operand(operator, input, i));
    for (const value of operator.captures) await this.read(value);
    // onnxruntime crashes on a Split that omits an output, so those get names too.
    const omitted = (i: number) => (operator.type === 'Split' ? this.graph.fresh(`${operator.origin}.${i}`) : '');
    const outputs = operator.outputs.map((output, i) => (output ? this.nameOf(output) : omitted(i)));
    const { crop, scale } = operator;
    const first = outputs[0] ?? '';
    const made = [...outputs];
    if (crop || scale !== undefined) made[0] = this.graph.fresh(`${first}.made`);
    this.graph.node(operator.type, inputs, made, operator.attributes, operator.domain);
    const cropped = crop && scale !== undefined ? this.graph.fresh(`${first}.cropped`) : first;
    if (crop) this.graph.slice(made[0]!, crop, null, cropped);
    if (scale !== undefined) {
      const dtype = tensorOf(this.program, operator.outputs[0]!.tensor).dtype!;
      this.graph.scale(crop ? cropped : made[0]!, scale, dtype, first);
    }
  }

  private async operand(operator: Compute, input: Value | Literal | null, index: number): Promise<string> {
    if (input === null) return '';
    if (input.kind === 'literal') return this.graph.literal(`${operator.origin}.${index}`, input);
    return this.read(input);
  }

  /** The name of a value; a weight's slice is put into the graph at its first use. */
  private async read(value: Value): Promise<string> {
    const tensor = tensorOf(this.program, value.tensor);
    const name = this.nameOf(value);
    if (tensor.role !== 'weight' || this.weights.has(name)) return name;
    this.weights.add(name);
    await this.addWeight(tensor, value.region!, name);
    return name;
  }

  private async addWeight(weight: Weight, region: Region, name: string): Promise<void> {
    const { source, dtype } = weight;
    const dims = lengths(region);
    const tensor = { name, dataType: onnxNumber(dtype), dims };
    const bytes = count(region) * bytesPerElement(dtype);
    const { initializers } = this.graph;
    if (source.kind === 'strings') {
      const stringData = textsOf(weight, region).map((text) => new Uint8Array(Buffer.from(text)));
      initializers.push(createTensor({ ...tensor, stringData }));
    } else if (bytes <= INLINE) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of readRegion(weight, region)) chunks.push(chunk);
      initializers.push(createTensor({ ...tensor, rawData: Buffer.concat(chunks) }));
    } else if (source.kind === 'fill' && this.opset >= 9) {
      this.graph.fill(createTensor({ dataType: tensor.dataType, dims: [1], rawData: source.bytes }), dims, name);
    } else {
      const entries = { location: this.location, ...(await this.file.place(weight, region)) };
      const externalData = Object.entries(entries).map(([key, value]) => ({ key, value: String(value) }));
      const dataLocation = onnx.TensorProto.DataLocation.EXTERNAL;
      initializers.push(createTensor({ ...tensor, dataLocation, externalData }));
    }
  }

  private assemble({ inputs, output }: Assemble): void {
    const named = (value: Value) => ({ name: this.nameOf(value), region: value.region! });
    const partial = inputs[0]!.partial;
    if (partial && !output.partial) this.graph.combine(partial.combine, inputs.map(named), named(output));
    else this.graph.join(inputs.map(named), named(output));
  }
}

/** The model's bytes; slices above a KiB go to `file`, which models name as `location`. */
export const segmentModel = (program: Program, segment: Segment, file: WeightsFile, location: string) =>
  new SegmentModel(program, segment, file, location).build();
