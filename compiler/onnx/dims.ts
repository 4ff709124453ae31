/** Gives every free dimension of the inputs a size. */
import { dimensionSize, unboundDimension, unknownDimension } from './errors.ts';
import { decodeValueInfo, type Integer, onnx, toNumber, type ValueInfoProto } from './proto.ts';

/** Names of dimensions that are a batch, and of those that are none although they come first. */
const batch = /^(.*batch(_?size)?|[bn])$/i;
const notBatch = /seq|len|time|frame|sample|token|height|width|num|count|past/i;

interface FreeDimension {
  readonly input: string;
  readonly axis: number;
  readonly rank: number;
  /** dim_param; '' if the model gives the dimension no name. */
  readonly parameter: string;
}

/**
 * @param sizes by dim_param (`batch`) or by input and axis (`x:2`)
 * @param notice told of every batch that becomes 1
 * @throws unbound-dimension, unknown-dimension, dimension-size
 */
export function bindDimensions(
  file: string,
  inputs: readonly ValueInfoProto[],
  sizes: Readonly<Record<string, number>>,
  notice: (message: string) => void,
): ValueInfoProto[] {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 0) throw dimensionSize(file, name, size);
  }
  const free = inputs.flatMap(freeDimensions);
  const known = new Set(
    free.flatMap(({ input, axis, parameter }) => [...(parameter ? [parameter] : []), `${input}:${axis}`]),
  );
  const unknown = Object.keys(sizes).find((name) => !known.has(name));
  if (unknown !== undefined) throw unknownDimension(file, unknown, [...known]);
  const bound = new Map<string, number>();
  const noticed = new Set<string>();
  for (const dimension of free) {
    const { input, axis, parameter } = dimension;
    const place = `${input}:${axis}`;
    const given = sizes[place] ?? (Object.hasOwn(sizes, parameter) ? sizes[parameter] : undefined);
    if (given === undefined && !isBatch(dimension, free)) throw unboundDimension(file, input, axis, parameter);
    bound.set(place, given ?? 1);
    const name = parameter || place;
    if (given === undefined && !noticed.has(name)) {
      noticed.add(name);
      notice(
        `dimension ${axis} of input "${input}"${parameter ? ` (${parameter})` : ''} is taken to be 1; --dim ${name}=SIZE sets another size`,
      );
    }
  }
  return inputs.map((input) => withSizes(input, bound));
}

function freeDimensions({ name: input, type }: ValueInfoProto): FreeDimension[] {
  const dimensions = type?.tensorType?.shape?.dim ?? [];
  return dimensions.flatMap((dimension, axis) =>
    isFixed(dimension) ? [] : [{ input, axis, rank: dimensions.length, parameter: dimension.dimParam ?? '' }],
  );
}

/** Some exporters write -1 for a size that is not known. */
const isFixed = ({ dimValue }: { readonly dimValue: Integer | null }): boolean =>
  dimValue !== null && dimValue !== undefined && toNumber(dimValue) >= 0;

/** A first axis is a batch, unless its name says otherwise or stands for another axis too. */
const isBatch = ({ axis, rank, parameter }: FreeDimension, free: readonly FreeDimension[]): boolean =>
  batch.test(parameter)
    ? free.some((other) => other.parameter === parameter && other.axis === 0)
    : axis === 0 &&
      rank > 1 &&
      !notBatch.test(parameter) &&
      !free.some((other) => parameter !== '' && other.parameter === parameter && other.axis !== 0);

/** The input with all sizes fixed; what is no tensor stays as it is. */
function withSizes(input: ValueInfoProto, bound: ReadonlyMap<string, number>): ValueInfoProto {
  const tensorType = input.type?.tensorType;
  if (!tensorType?.shape) return input;
  const dim = tensorType.shape.dim.map(({ dimValue }, axis) => ({
    dimValue: bound.get(`${input.name}:${axis}`) ?? dimValue,
  }));
  const type = { tensorType: { elemType: tensorType.elemType, shape: { dim } } };
  return decodeValueInfo(onnx.ValueInfoProto.encode({ name: input.name, type }).finish());
}
