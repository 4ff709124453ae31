/** Resize and Upsample: a tile reads a halo, begins where input and output positions meet, and drops what it made too much. */
import type { Literal } from '../ir/program.ts';
import { length, type Region, type Span } from '../ir/region.ts';
import {
  axisLetters,
  byLetters,
  type Family,
  float32,
  floats,
  fromFront,
  int,
  int64,
  ints,
  type Node,
  type Operand,
  type Rule,
  string,
  type Tile,
  type Whole,
  whole,
} from './rule.ts';
import {
  type Coordinates,
  doubt,
  fraction,
  type Interpolation,
  reachesEnd,
  type Sampling,
  samplingTile,
} from './sampling.ts';

/** What the model asks for, whichever opset it says it in. */
interface Ask {
  /** One a dimension; null: the sizes are given instead. */
  readonly scales: readonly number[] | null;
  readonly coordinates: Coordinates;
  readonly interpolation: (scale: number) => Interpolation;
  /** Tells the tile other scales or sizes, one a dimension. */
  readonly retell: (inputs: Tile['inputs'], values: readonly number[]) => Tile;
}

/** One dimension: untouched, one element repeated, or sampled. */
type Axis = 'same' | 'repeated' | Sampling;

function axisOf(ask: Ask, input: number, output: number, scale: number | null): Axis | Whole {
  if (input === output && (scale === null || scale === 1)) return 'same';
  if (input === output) return whole(`a scale of ${scale} changes nothing here`);
  if (output === 1 || input === 1) return 'repeated';
  const corners = ask.coordinates === 'align_corners';
  const [p, q] = (corners ? fraction(input - 1, output - 1, null) : fraction(input, output, scale)) ?? [0, input];
  if (q >= input - (corners ? 1 : 0))
    return whole(`resized ${input} to ${output}: no part begins where both sides meet`);
  const interpolation = ask.interpolation(scale ?? output / input);
  const sampling: Sampling = { input, output, p, q, coordinates: ask.coordinates, interpolation, scale };
  const reason = doubt(sampling);
  if (reason) return whole(reason);
  return reachesEnd(sampling) ? sampling : whole(`a scale of ${scale} rounds differently in a part`);
}

function cutResize(node: Node, ask: Ask) {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const letters = axisLetters(output.length);
  const axes = input.map((size, i) => axisOf(ask, size, output[i]!, ask.scales?.[i] ?? null));
  const samplings = axes.map((axis) => (typeof axis === 'object' && !('whole' in axis) ? axis : undefined));
  const named = <T>(value: (i: number) => T | undefined): Record<string, T> =>
    Object.fromEntries(
      [...letters].flatMap((letter, i) => [value(i)].flatMap((v) => (v === undefined ? [] : [[letter, v]]))),
    );
  const readAt =
    (i: number) =>
    (span: Span): Span => {
      const sampling = samplings[i];
      if (sampling) return samplingTile(sampling, span).read;
      return axes[i] === 'same' ? span : [0, input[i]!];
    };
  return byLetters(node, {
    inputs: [letters, ...node.inputs.slice(1).map((other) => (other ? '*' : null))],
    outputs: [letters],
    kinds: named((i) => (samplings[i] ? 'window' : undefined)),
    whole: named((i) => reasonOf(axes[i]!)),
    windows: named(readAt),
    adjust: (tile, spans) => {
      const kept = [...letters].map((letter) => spans[letter]!);
      const parts = samplings.map((sampling, i) => sampling && samplingTile(sampling, kept[i]!));
      const yields = parts.map((part, i) => part?.yields ?? length(kept[i]!));
      const values = yields.map((size, i) =>
        ask.scales ? scaleFor(ask, axes[i]!, ask.scales[i]!, length(tile.inputs[0]![i]!), size, output[i]!) : size,
      );
      const inputs = tile.inputs.map((region, i) => (i > 0 && region ? withoutEmpty(node, i, region) : region));
      const unchanged = (ask.scales ?? output).every((value, i) => value === values[i]);
      const told = unchanged ? { inputs } : ask.retell(inputs, values);
      const crop = parts.map((part, i): Span => part?.keep ?? [0, yields[i]!]);
      return crop.every((span, i) => length(span) === yields[i]) ? told : { ...told, crop };
    },
  });
}

const reasonOf = (axis: Axis | Whole) => (typeof axis === 'object' && 'whole' in axis ? axis.whole : undefined);

/** The scale that makes a tile of `read` elements yield `size`. Where only sizes count it lies safely between two sizes. */
function scaleFor(ask: Ask, axis: Axis | Whole, scale: number, read: number, size: number, whole: number): number {
  if (size === whole || axis === 'same') return scale;
  if (axis === 'repeated') return size / read;
  return ask.coordinates === 'align_corners' ? (size + 0.5) / read : scale;
}

/** An unused roi, scales or sizes may be an empty tensor, which no tile can read. Opset 11 wants something there. */
function withoutEmpty(node: Node, index: number, region: Region): Region | Literal | null {
  if (region.length !== 1 || length(region[0]!) > 0) return region;
  return node.opset < 13 && index < 3 ? float32([]) : null;
}

/** Before opset 11, also Upsample. */
const nearestOfOld = (scale: number): Interpolation => ({ kind: 'nearest', round: scale < 1 ? 'ceil' : 'floor' });

const oldResize: Rule = (node) => {
  const byAttribute = node.type === 'Upsample' && node.opset < 9;
  const scales = byAttribute ? floats(node, 'scales') : node.inputs[1]?.constant;
  if (!scales) return whole('its scales are computed');
  const nearest = (string(node, 'mode') ?? 'nearest') === 'nearest';
  return cutResize(node, {
    scales,
    coordinates: 'asymmetric',
    interpolation: nearest ? nearestOfOld : () => ({ kind: 'smooth', reach: 1 }),
    retell: (inputs, values) =>
      byAttribute
        ? { inputs, attributes: { scales: { kind: 'floats', value: values } } }
        : { inputs: [inputs[0]!, float32(values)] },
  });
};

const ROUND = {
  floor: 'floor',
  ceil: 'ceil',
  round_prefer_floor: 'half-down',
  round_prefer_ceil: 'half-up',
} as const;

function interpolationOf(node: Node): Ask['interpolation'] {
  const mode = string(node, 'mode') ?? 'nearest';
  const round = string(node, 'nearest_mode') ?? 'round_prefer_floor';
  if (mode === 'nearest') {
    const found = Object.entries(ROUND).find(([name]) => name === round)?.[1] ?? 'half-down';
    return () => ({ kind: 'nearest', round: found });
  }
  const reach = mode === 'cubic' ? 2 : 1;
  const smooths = int(node, 'antialias') === 1;
  return (scale) => ({ kind: 'smooth', reach: smooths && scale < 1 ? reach / scale + 1 : reach });
}

/** undefined: tiles cannot follow. Positions of the symmetric mode are half_pixel's where the size is just the scale's. */
function coordinatesOf(node: Node, scales: readonly number[] | null): Coordinates | undefined {
  switch (string(node, 'coordinate_transformation_mode') ?? 'half_pixel') {
    case 'asymmetric':
      return 'asymmetric';
    case 'align_corners':
      return 'align_corners';
    case 'tf_half_pixel_for_nn':
      return 'tf_half_pixel';
    case 'half_pixel':
    case 'pytorch_half_pixel':
      return 'half_pixel';
    case 'half_pixel_symmetric':
      return scales?.some((scale, i) => !Number.isInteger(scale * node.inputs[0]!.shape[i]!))
        ? undefined
        : 'half_pixel';
    default:
      return undefined;
  }
}

/** The scales of all dimensions; null: the sizes are given; undefined: computed. */
function scalesOf(node: Node, axes: readonly number[]): readonly number[] | null | undefined {
  const present = (operand: Operand | null | undefined) => operand && operand.shape[0] !== 0;
  if (present(node.inputs[3])) return null;
  const given = node.inputs[2]?.constant;
  return given && node.inputs[0]!.shape.map((_, i) => (axes.includes(i) ? given[axes.indexOf(i)]! : 1));
}

const resize: Rule = (node) => {
  if (node.opset < 11) return oldResize(node);
  const rank = node.inputs[0]!.shape.length;
  const every = [...Array(rank).keys()];
  const axes = ints(node, 'axes')?.map((axis) => fromFront(axis, rank)) ?? every;
  const scales = scalesOf(node, axes);
  if (scales === undefined) return whole('its scales are computed');
  const policy = string(node, 'keep_aspect_ratio_policy') ?? 'stretch';
  if (scales === null && policy !== 'stretch') return whole(`its sizes depend on each other: ${policy}`);
  const coordinates = coordinatesOf(node, scales);
  if (!coordinates) return whole(`${string(node, 'coordinate_transformation_mode')} follows the whole tensor's extent`);
  return cutResize(node, {
    scales,
    coordinates,
    interpolation: interpolationOf(node),
    retell: ([x, roi], values) => ({
      inputs: scales ? [x!, roi!, float32(values)] : [x!, roi!, node.opset < 13 ? float32([]) : null, int64(values)],
      ...(node.attributes.axes ? { attributes: { axes: { kind: 'ints', value: every } } } : {}),
    }),
  });
};

export const resizeFamily: Family = { Resize: resize, Upsample: oldResize };
