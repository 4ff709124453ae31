/** Puts together one ONNX graph: nodes, small constants, and the slicing, joining and combining that assemble operators mean. */

import type { Attributes, Combine, Literal } from '../compiler/ir/program.ts';
import { equalRegions, intersect, isEmpty, lengths, type Region, relativeTo, subtract } from '../compiler/ir/region.ts';
import { encodeAttribute } from '../compiler/onnx/encode.ts';
import { createNode, createTensor, type NodeProto, onnx, type TensorProto } from '../compiler/onnx/proto.ts';
import { type DType, onnxNumber } from '../runtime/dtype.ts';

/** A named ONNX value and the region of its tensor that it is. */
export interface Named {
  readonly name: string;
  readonly region: Region;
}

const COMBINE: Record<Combine, string> = { sum: 'Add', max: 'Max', min: 'Min', prod: 'Mul' };

/** Bits of a float16, rounded to nearest even; only used for scales between 0 and 1. */
function float16Bits(value: number): number {
  const bits = new Uint32Array(new Float32Array([value]).buffer)[0]!;
  const exponent = ((bits >>> 23) & 255) - 112;
  if (exponent <= 0) return Math.round(value * 2 ** 24);
  const mantissa = bits & 0x7fffff;
  const half = (exponent << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return rest > 0x1000 || (rest === 0x1000 && half & 1) ? half + 1 : half;
}

export class GraphBuilder {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly names = new Set<string>();

  constructor(private readonly opset: number) {}

  /** `wanted`, or `wanted#2` … if it is taken. */
  fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.names.has(name); i++) name = `${wanted}#${i}`;
    this.names.add(name);
    return name;
  }

  node(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes = {},
    domain = '',
  ): void {
    this.nodes.push(
      createNode({
        name: this.fresh(`${type} ${outputs.find((output) => output !== '') ?? ''}`),
        opType: type,
        domain,
        input: [...inputs],
        output: [...outputs],
        attribute: Object.entries(attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
      }),
    );
  }

  constant(name: string, dtype: DType, shape: readonly number[], rawData: Uint8Array): string {
    const fresh = this.fresh(name);
    this.initializers.push(createTensor({ name: fresh, dataType: onnxNumber(dtype), dims: [...shape], rawData }));
    return fresh;
  }

  literal(name: string, { dtype, shape, data }: Literal): string {
    const array =
      dtype === 'int64'
        ? BigInt64Array.from(data, (x) => BigInt(x))
        : dtype === 'int32'
          ? Int32Array.from(data)
          : dtype === 'uint8'
            ? Uint8Array.from(data)
            : Float32Array.from(data);
    return this.constant(name, dtype, shape, new Uint8Array(array.buffer));
  }

  private indices(name: string, data: readonly number[]): string {
    return this.literal(name, { kind: 'literal', dtype: 'int64', shape: [data.length], data });
  }

  /** `output = input` cut to `region`, which is relative to the input; `extent` are the input's sizes, null if not known. */
  slice(input: string, region: Region, extent: readonly number[] | null, output: string): void {
    const axes = region.flatMap(([begin, end], i) => (begin === 0 && end === extent?.[i] ? [] : [i]));
    if (axes.length === 0) {
      this.node('Identity', [input], [output]);
      return;
    }
    const starts = axes.map((axis) => region[axis]![0]);
    const ends = axes.map((axis) => region[axis]![1]);
    if (this.opset < 10) {
      this.node('Slice', [input], [output], {
        axes: { kind: 'ints', value: axes },
        starts: { kind: 'ints', value: starts },
        ends: { kind: 'ints', value: ends },
      });
      return;
    }
    const operands = [
      this.indices(`${output}.starts`, starts),
      this.indices(`${output}.ends`, ends),
      this.indices(`${output}.axes`, axes),
    ];
    this.node('Slice', [input, ...operands], [output]);
  }

  /** The part `region` of `value`, sliced if it is not all of it. */
  private part(value: Named, region: Region): Named {
    if (equalRegions(value.region, region)) return value;
    const name = this.fresh(`${value.name}.part`);
    this.slice(value.name, relativeTo(region, value.region), lengths(value.region), name);
    return { name, region };
  }

  /** `output` has this shape, and the only element of `value` everywhere. */
  fill(value: TensorProto, shape: readonly number[], output: string): void {
    const type = onnx.AttributeProto.AttributeType.TENSOR;
    const bytes = onnx.AttributeProto.encode({ name: 'value', type, t: value }).finish();
    this.node('ConstantOfShape', [this.indices(`${output}.shape`, shape)], [output], {
      value: { kind: 'proto', bytes },
    });
  }

  /** `output = input × factor`. */
  scale(input: string, factor: number, dtype: DType, output: string): void {
    const bytes =
      dtype === 'float64'
        ? new Float64Array([factor])
        : dtype === 'float16'
          ? new Uint16Array([float16Bits(factor)])
          : new Float32Array([factor]);
    const constant = this.constant(`${output}.scale`, dtype, [], new Uint8Array(bytes.buffer));
    this.node('Mul', [input, constant], [output]);
  }

  /** Combines addends that all hold `output`'s region. */
  combine(how: Combine, addends: readonly Named[], output: Named): void {
    const parts = addends.map((addend) => this.part(addend, output.region).name);
    parts.reduce((sum, next, i) => {
      const name = i === parts.length - 1 ? output.name : this.fresh(`${output.name}.${how}`);
      this.node(COMBINE[how], [sum, next], [name]);
      return name;
    });
  }

  /** Joins values that cover `output`'s region together; where two hold an element, the earlier one gives it. */
  join(values: readonly Named[], output: Named): void {
    let rest: Region[] = [output.region];
    const parts: Named[] = [];
    for (const value of values) {
      for (const region of rest.map((r) => intersect(r, value.region))) {
        if (!isEmpty(region)) parts.push(this.part(value, region));
      }
      rest = rest.flatMap((r) => subtract(r, value.region));
    }
    const joined = this.tiling(parts, output.region, output.name);
    if (joined !== output.name) this.node('Identity', [joined], [output.name]);
  }

  /** The name of the value that disjoint `parts` make of `region`. */
  private tiling(parts: readonly Named[], region: Region, wanted: string): string {
    if (parts.length === 1) return parts[0]!.name;
    const found = this.cleanCut(parts, region);
    if (!found) {
      // No line through the region spares every part: cut those that lie across the first part's end.
      const [axis, position] = this.anyCut(parts, region);
      return this.tiling(this.cutAcross(parts, axis, position), region, wanted);
    }
    const [axis, positions] = found;
    const [begin, end] = region[axis]!;
    const borders = [begin, ...positions, end];
    const slabs = borders.slice(1).map((to, i) => {
      const slab = region.map((span, j): readonly [number, number] => (j === axis ? [borders[i]!, to] : span));
      return this.tiling(
        parts.filter((part) => !isEmpty(intersect(part.region, slab))),
        slab,
        this.fresh(`${wanted}.slab`),
      );
    });
    this.node('Concat', slabs, [wanted], { axis: { kind: 'int', value: axis } });
    return wanted;
  }

  /** An axis and the positions on it where no part is cut. */
  private cleanCut(parts: readonly Named[], region: Region): readonly [number, number[]] | undefined {
    for (const [axis, [begin, end]] of region.entries()) {
      const borders = [...new Set(parts.flatMap((part) => part.region[axis]!))].filter((x) => x > begin && x < end);
      const clean = borders.filter((x) => parts.every(({ region: r }) => !(r[axis]![0] < x && x < r[axis]![1])));
      if (clean.length > 0) return [axis, clean.sort((a, b) => a - b)];
    }
    return undefined;
  }

  private anyCut(parts: readonly Named[], region: Region): readonly [number, number] {
    for (const [axis, [begin, end]] of region.entries()) {
      const position = parts.flatMap((part) => part.region[axis]!).find((x) => x > begin && x < end);
      if (position !== undefined) return [axis, position];
    }
    throw new Error('parts overlap');
  }

  private cutAcross(parts: readonly Named[], axis: number, position: number): Named[] {
    return parts.flatMap((part) => {
      const [begin, end] = part.region[axis]!;
      if (position <= begin || position >= end) return [part];
      const along = (span: readonly [number, number]) => part.region.map((s, i) => (i === axis ? span : s));
      return [this.part(part, along([begin, position])), this.part(part, along([position, end]))];
    });
  }
}
