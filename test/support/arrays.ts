/** Row-major arrays in plain JavaScript: the slow, obvious way, to check everything else against. */
import { count, lengths, type Region } from '../../compiler/ir/region.ts';
import type { Tensor } from '../../runtime/program.ts';

export type Data = Tensor['data'];

const emptyLike = (data: Data, length: number): Data =>
  Array.isArray(data)
    ? new Array<string>(length).fill('')
    : new (data.constructor as new (n: number) => Float32Array)(length);

/** Offsets of a region's elements in an array of this shape, in row-major order. */
function* offsets(shape: readonly number[], region: Region): Generator<number> {
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const index = region.map(([begin]) => begin);
  for (let n = count(region); n > 0; n--) {
    yield index.reduce((sum, x, i) => sum + x * strides[i]!, 0);
    for (let axis = region.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < region[axis]![1]) break;
      index[axis] = region[axis]![0];
    }
  }
}

/** The elements of a region. */
export function cutOut(tensor: Tensor, region: Region): Tensor {
  const data = emptyLike(tensor.data, count(region));
  let at = 0;
  for (const offset of offsets(tensor.dims, region)) data[at++] = tensor.data[offset]!;
  return { ...tensor, dims: lengths(region), data } as Tensor;
}

/** Writes `part` over a region of `target`. */
export function paste(target: Tensor, region: Region, part: Tensor): void {
  let at = 0;
  for (const offset of offsets(target.dims, region)) (target.data as Data)[offset] = part.data[at++]!;
}

/** An array of zeros like `tensor`, of this shape. */
export const zerosLike = (tensor: Tensor, dims: readonly number[]): Tensor =>
  ({
    ...tensor,
    dims,
    data: emptyLike(
      tensor.data,
      dims.reduce((a, b) => a * b, 1),
    ),
  }) as Tensor;

/** Element by element; BigInt arrays stay BigInt. */
export function zip(a: Tensor, b: Tensor, f: <T extends number | bigint>(x: T, y: T) => T): Tensor {
  const result = zerosLike(a, a.dims);
  const [x, y, z] = [a.data, b.data, result.data] as unknown as number[][];
  for (let i = 0; i < x!.length; i++) z![i] = f(x![i]!, y![i]!);
  return result;
}
