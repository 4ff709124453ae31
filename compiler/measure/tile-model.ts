/**
 * Many tiles as one ONNX model, as they occur in one: each finds its inputs just made, its weights not yet read, and what it makes
 * is read at once. So caches are as in a model, and one run measures all.
 *
 *     x → maker → tile's operators → sink → an element
 *
 * The maker decides the layout in which the tile finds its input: Abs leaves it as it is, a pool of 1×1, the cheapest operator
 * that onnxruntime runs in its blocked layout, leaves it in that.
 */
import { join } from 'node:path';
import { segmentModel } from '../../codegen/segment-model.ts';
import { WeightsFile } from '../../codegen/weights-file.ts';
import type { DType } from '../../runtime/dtype.ts';
import type { TensorSpec } from '../../runtime/manifest.ts';
import type { Attribute, Attributes, Compute, Program, Tensor, Value } from '../ir/program.ts';
import { reads, tensorOf, valueKey, writes } from '../ir/program.ts';
import { length, type Span } from '../ir/region.ts';
import { int64 } from '../operators/rule.ts';
import { externals } from '../planning/costs/chains.ts';
import type { Tile } from './tiles.ts';

export interface Variant {
  readonly tile: Tile;
  /** Its inputs come in the blocked layout. */
  readonly blocked: boolean;
}

export interface TilesModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** What a kernel is there for. onnxruntime names kernels by what they make. */
export type Role = 'operator' | 'maker' | 'sink';

const SIGNS = { operator: '=', maker: '<', sink: '>', input: '~' } as const;
const named = (index: number, role: keyof typeof SIGNS, name: string): string => `tile${index}${SIGNS[role]}${name}`;

/** Which variant a kernel is of, and what it is there for. null: onnxruntime put it in. */
export function roleOf(kernel: string): { index: number; role: Role } | null {
  const [, index, sign] = /tile(\d+)([=<>])/.exec(kernel) ?? [];
  const role = (['operator', 'maker', 'sink'] as const).find((one) => SIGNS[one] === sign);
  return role ? { index: Number(index), role } : null;
}

/** Larger weights are made up: no kernel asks what they are, and nothing is copied. */
const LARGE = 4096;
/** One element of its own for each variant: onnxruntime keeps equal weights once, and the second reader would find them in caches. */
const FILL: { readonly [D in DType]?: (index: number) => Uint8Array } = {
  float32: (index) => new Uint8Array(Float32Array.of((1 + index / 1024) / 64).buffer),
  float16: (index) => new Uint8Array(Uint16Array.of(0x2400 + index).buffer),
  float64: (index) => new Uint8Array(Float64Array.of((1 + index / 1024) / 64).buffer),
  int8: (index) => Uint8Array.of(1 + (index % 127)),
  uint8: (index) => Uint8Array.of(1 + (index % 255)),
};

function madeUp(tensor: Tensor, index: number): Tensor {
  if (tensor.role !== 'weight' || tensor.source.kind !== 'file' || tensor.source.length < LARGE) return tensor;
  const bytes = FILL[tensor.dtype]?.(index);
  return bytes ? { ...tensor, source: { kind: 'fill', bytes } } : tensor;
}

/** What a convolution could have made: only that has a blocked layout. */
const isPicture = (program: Program, { tensor }: Value): boolean => {
  const { dtype, shape } = tensorOf(program, tensor);
  return dtype === 'float32' && shape.length === 4;
};

/** Whether any input could come in the blocked layout. */
export const hasPictures = (program: Program, { chain, operators }: Tile): boolean =>
  externals(program, { ...chain, members: operators }).some(({ value }) => isPicture(program, value));

/** Puts together the operators of all variants, every tensor under a name of its variant's. */
class TilesProgram {
  readonly tensors = new Map<string, Tensor>();
  readonly operators: Compute[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];

  constructor(private readonly program: Program<'imported'>) {}

  add({ tile: { chain, operators }, blocked }: Variant, index: number): void {
    const made = new Map<string, Value>();
    for (const { value } of externals(this.program, { ...chain, members: operators })) {
      made.set(valueKey(value), this.make(value, index, blocked));
    }
    const own = (value: Value) => made.get(valueKey(value)) ?? this.value(value, index, 'operator');
    for (const operator of operators) {
      this.operators.push({
        ...operator,
        inputs: operator.inputs.map((input) => (input?.kind === 'value' ? own(input) : input)),
        outputs: operator.outputs.map((output) => output && own(output)),
        captures: operator.captures.map(own),
      });
    }
    const inner = new Set(operators.flatMap(reads).map(valueKey));
    for (const value of operators.flatMap(writes)) if (!inner.has(valueKey(value))) this.sink(value, index);
  }

  private value(value: Value, index: number, role: keyof typeof SIGNS): Value {
    const tensor = named(index, role, value.tensor);
    this.tensors.set(tensor, { ...madeUp(tensorOf(this.program, value.tensor), index), name: tensor });
    return { ...value, tensor };
  }

  private node(type: string, inputs: Compute['inputs'], output: Value, attributes: Attributes): void {
    const { tensor: origin } = output;
    this.operators.push({
      kind: 'compute',
      type,
      domain: '',
      origin,
      device: '',
      attributes,
      inputs,
      outputs: [output],
      captures: [],
    });
  }

  private make(value: Value, index: number, blocked: boolean): Value {
    const given = this.value(value, index, 'input');
    this.inputs.push(given);
    if (tensorOf(this.program, value.tensor).dtype !== 'float32') return given;
    const made = this.value(value, index, 'maker');
    if (blocked && isPicture(this.program, value)) this.node('MaxPool', [given], made, { kernel_shape: ints([1, 1]) });
    else this.node('Abs', [given], made, {});
    return made;
  }

  /** Reads one element. */
  private sink(value: Value, index: number): void {
    const made = this.value(value, index, 'operator');
    if (!value.region || value.region.every((span) => length(span) <= 1)) {
      this.outputs.push(made);
      return;
    }
    const output = {
      ...this.value(value, index, 'sink'),
      region: value.region.map(([begin]): Span => [begin, begin + 1]),
    };
    const first = value.region.map(() => 0);
    const ends = value.region.map(() => 1);
    const axes = [...value.region.keys()];
    const opset = this.program.opsets[''] ?? 1;
    // onnxruntime moves a Transpose behind a Slice, which then has one element to transpose: GatherND holds it where it is.
    if (opset >= 11) this.node('GatherND', [made, int64(first, [...ends, axes.length])], output, {});
    else if (opset >= 10) this.node('Slice', [made, int64(first), int64(ends), int64(axes)], output, {});
    else this.node('Slice', [made], output, { axes: ints(axes), starts: ints(first), ends: ints(ends) });
    this.outputs.push(output);
  }
}

const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

/** @param folder receives the weights that are kept, as `name`.bin */
export async function tilesModel(
  imported: Program<'imported'>,
  variants: readonly Variant[],
  folder: string,
  name: string,
): Promise<TilesModel> {
  const { tensors, operators, inputs, outputs } = variants.reduce((program, variant, i) => {
    program.add(variant, i);
    return program;
  }, new TilesProgram(imported));
  const file = `${name}.bin`;
  const weights = await WeightsFile.create(join(folder, file));
  try {
    return await segmentModel(
      { ...imported, tensors },
      { kind: 'segment', index: 0, operators, inputs, outputs },
      weights,
      file,
    );
  } finally {
    await weights.close();
  }
}
