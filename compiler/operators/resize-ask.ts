/** What a Resize or Upsample asks for, whichever opset it says it in. */
import type { Literal } from '../ir/program.ts';
import {
  atRunTime,
  float32,
  floats,
  fromFront,
  int,
  int64,
  ints,
  type Node,
  type Operand,
  string,
  type Tile,
  type Whole,
  whole,
} from './rule.ts';
import type { Coordinates, Interpolation } from './sampling.ts';

export interface Ask {
  /** The dimensions it is about; the others are passed on as they are. */
  readonly axes: readonly number[];
  /** One a dimension; null: the sizes are given instead. */
  readonly scales: readonly number[] | null;
  /** 'same' or a reason where scales and coordinates do not tell what becomes of a dimension. */
  readonly special: (dimension: number) => 'same' | Whole | undefined;
  readonly coordinates: Coordinates;
  readonly interpolation: (scale: number) => Interpolation;
  /** Tells the tile other scales or sizes, one a dimension; those that are only known at run time it has anyway. */
  readonly retell: (inputs: Tile['inputs'], values: readonly number[]) => Tile;
}

const every = (node: Node): number[] => [...node.inputs[0]!.shape.keys()];
const nothingSpecial = () => undefined;

/** Where scales are fed: onnxruntime insists that these dimensions keep their size. */
function untouched(mode: string, rank: number): readonly number[] {
  if (mode === 'cubic') return rank === 4 ? [0, 1] : [];
  if (mode !== 'linear') return [];
  return rank === 5 ? [0, 1] : rank === 4 ? [0] : [];
}

/** Nothing is known of the scales: dimensions are passed on as they are, or whole. */
const unknownScales = (node: Node): Ask['special'] => {
  const kept = untouched(string(node, 'mode') ?? 'nearest', node.inputs[0]!.shape.length);
  return (i) => (kept.includes(i) ? 'same' : whole(atRunTime('how much it is resized')));
};

/** Before opset 11, also Upsample. */
const nearestOfOld = (scale: number): Interpolation => ({ kind: 'nearest', round: scale < 1 ? 'ceil' : 'floor' });

export function oldAsk(node: Node): Ask {
  const byAttribute = node.type === 'Upsample' && node.opset < 9;
  const scales = byAttribute ? floats(node, 'scales') : node.inputs[1]?.constant;
  const nearest = (string(node, 'mode') ?? 'nearest') === 'nearest';
  return {
    axes: every(node),
    scales: scales ?? null,
    special: scales ? nothingSpecial : unknownScales(node),
    coordinates: 'asymmetric',
    interpolation: nearest ? nearestOfOld : () => ({ kind: 'smooth', reach: 1 }),
    retell: (inputs, values) =>
      !scales
        ? { inputs }
        : byAttribute
          ? { inputs, attributes: { scales: { kind: 'floats', value: values } } }
          : { inputs: [inputs[0]!, float32(values)] },
  };
}

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

const COORDINATES: Readonly<Record<string, Coordinates>> = {
  asymmetric: 'asymmetric',
  align_corners: 'align_corners',
  tf_half_pixel_for_nn: 'tf_half_pixel',
  half_pixel: 'half_pixel',
  pytorch_half_pixel: 'half_pixel',
  // Where the size is just the scale's; elsewhere see `asymmetricSizes`.
  half_pixel_symmetric: 'half_pixel',
};

/** The scales of all dimensions; null: the sizes are given; undefined: only known at run time. */
function scalesOf(node: Node, axes: readonly number[]): readonly number[] | null | undefined {
  const present = (operand: Operand | null | undefined) => operand && operand.shape[0] !== 0;
  if (present(node.inputs[3])) return null;
  const given = node.inputs[2]?.constant;
  return given && node.inputs[0]!.shape.map((_, i) => (axes.includes(i) ? given[axes.indexOf(i)]! : 1));
}

/** Modes whose samples tiles cannot follow. */
function specialOf(node: Node, axes: readonly number[], scales: readonly number[] | null): Ask['special'] {
  const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
  const mode = string(node, 'coordinate_transformation_mode') ?? 'half_pixel';
  if (mode === 'tf_crop_and_resize') {
    const roi = node.inputs[1]?.constant;
    const all = (i: number) => roi?.[axes.indexOf(i)] === 0 && roi[axes.indexOf(i) + axes.length] === 1;
    return (i) =>
      input[i] === output[i] && all(i) ? 'same' : whole('its region of interest is a part of the whole tensor');
  }
  const halfSize = (i: number) => scales !== null && !Number.isInteger(scales[i]! * input[i]!);
  if (mode === 'half_pixel_symmetric' && input.some((_, i) => halfSize(i)))
    return (i) => (scales![i] === 1 ? 'same' : whole('it is centred by the size before rounding'));
  return string(node, 'keep_aspect_ratio_policy') && scales === null ? keepingRatio(node, axes) : nothingSpecial;
}

/** One scale for all dimensions, the least or the largest that the sizes ask for. Sizes it makes exactly are like given ones. */
function keepingRatio(node: Node, axes: readonly number[]): Ask['special'] {
  const policy = string(node, 'keep_aspect_ratio_policy');
  if (policy === 'stretch') return nothingSpecial;
  const sizes = node.inputs[3]!.constant;
  if (!sizes) return () => whole(atRunTime('how much it is resized'));
  const input = axes.map((axis) => node.inputs[0]!.shape[axis]!);
  const ratios = input.map((size, i) => sizes[i]! / size);
  const at = ratios.indexOf(policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios));
  const exact = input.every((size) => (size * sizes[at]!) % input[at]! === 0);
  return exact ? nothingSpecial : () => whole('its sizes are rounded to keep the aspect ratio');
}

/** The region of interest of all dimensions, where the model has one of those it names. */
function roiOfAll(node: Node, axes: readonly number[]): Literal | null {
  const roi = node.inputs[1]?.constant;
  if (!roi || roi.length === 0) return null;
  const side = (preset: number, skip: number) =>
    every(node).map((i) => (axes.includes(i) ? roi[skip + axes.indexOf(i)]! : preset));
  return float32([...side(0, 0), ...side(1, axes.length)]);
}

export function newAsk(node: Node): Ask {
  const rank = node.inputs[0]!.shape.length;
  const axes = ints(node, 'axes')?.map((axis) => fromFront(axis, rank)) ?? every(node);
  const scales = scalesOf(node, axes);
  const policy = node.attributes.keep_aspect_ratio_policy;
  return {
    axes,
    scales: scales ?? null,
    special: scales === undefined ? unknownScales(node) : specialOf(node, axes, scales),
    coordinates: COORDINATES[string(node, 'coordinate_transformation_mode') ?? ''] ?? 'half_pixel',
    interpolation: interpolationOf(node),
    retell: (inputs, values) => {
      if (scales === undefined) return { inputs };
      const roi = node.attributes.axes ? roiOfAll(node, axes) : (inputs[1] ?? null);
      return {
        inputs: scales
          ? [inputs[0]!, roi, float32(values)]
          : [inputs[0]!, roi, node.opset < 13 ? float32([]) : null, int64(values)],
        attributes: {
          ...(node.attributes.axes ? { axes: { kind: 'ints', value: every(node) } } : {}),
          ...(policy ? { keep_aspect_ratio_policy: { kind: 'string', value: 'stretch' } } : {}),
        },
      };
    },
  };
}
