/** The encodings that tensors can have, with the ranges of 8 bits that their values on measured inputs come to. */
import type { NamedTensors, Tensor } from '../../runtime/index.ts';
import { elements } from '../../runtime/tensor.ts';
import type { Program } from '../ir/program.ts';
import { type Crossing, channelAxis, obstacle } from './encodings.ts';
import type { Encoding, Range } from './plan.ts';

export type Choice = readonly [tensor: string, encoding: Encoding];

/** A channel's range on the measured inputs says too little of others where it has fewer elements. */
const LEAST_PER_CHANNEL = 16;

/** Smallest and largest number at each index of an axis; undefined where there is none, or one is infinite. */
function rangesOf({ data }: Tensor, dims: readonly number[], axis: number): Range[] | undefined {
  const inner = elements(dims.slice(axis + 1));
  const ranges = Array.from({ length: dims[axis]! }, (): Range => [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  for (let i = 0; i < data.length; i++) {
    const value = Number(data[i]);
    if (!Number.isFinite(value)) return undefined;
    const range = ranges[Math.floor(i / inner) % ranges.length]!;
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
  }
  return data.length > 0 ? ranges : undefined;
}

/**
 * Of one name, those that the tensors which cross can have, most bytes first.
 * @param exact values of the tensors that are not only addends
 */
export function choicesOf(
  program: Program,
  candidates: readonly Crossing[],
  name: 'float16' | 'int8',
  exact: NamedTensors,
): Choice[] {
  return candidates.flatMap(({ tensor, addends }): Choice[] => {
    if (obstacle(program, tensor, name)) return [];
    if (name === 'float16') return [[tensor, name]];
    const values = exact[tensor];
    const [range] = (!addends && values && rangesOf(values, [1, values.data.length], 0)) || [];
    return range ? [[tensor, { int8: range }]] : [];
  });
}

function rangesOfChannels(program: Program, tensor: string, values: Tensor): Encoding | undefined {
  const axis = channelAxis(values.dims.length);
  const channels = values.dims[axis];
  if (!channels || values.data.length < LEAST_PER_CHANNEL * channels) return undefined;
  const ranges = obstacle(program, tensor, 'int8PerChannel') ? undefined : rangesOf(values, values.dims, axis);
  return ranges && { int8PerChannel: { axis, ranges } };
}

/** The same in as many bits, in steps as fine as each channel allows; undefined where no tensor has channels. */
export function finerOf(program: Program, choices: readonly Choice[], exact: NamedTensors): Choice[] | undefined {
  const finer = choices.map(([tensor]) => rangesOfChannels(program, tensor, exact[tensor]!));
  if (finer.every((encoding) => !encoding)) return undefined;
  return choices.map(([tensor, encoding], i) => [tensor, finer[i] ?? encoding]);
}
