/** Resize and Upsample: a tile reads a halo, begins where input and output positions meet, and drops what it made too much. */
import { length, type Span } from '../ir/region.ts';
import { type Ask, newAsk, oldAsk } from './resize-ask.ts';
import { axisLetters, byLetters, type Family, type Rule, type Whole, whole } from './rule.ts';
import { doubt, fraction, reachesEnd, type Sampling, samplingTile } from './sampling.ts';

/** One dimension: untouched, one element repeated, or sampled. */
type Axis = 'same' | 'repeated' | Sampling;

function sampledAxis(ask: Ask, input: number, output: number, scale: number | null): Axis | Whole {
  if (input === output && (scale === null || scale === 1)) return 'same';
  if (input === output) return whole(`a scale of ${scale} changes nothing here`);
  if (output === 1 || input === 1) return 'repeated';
  const corners = ask.coordinates === 'align_corners';
  const [p, q] = (corners ? fraction(input - 1, output - 1, null) : fraction(input, output, scale)) ?? [0, input];
  if (q >= input - (corners ? 1 : 0))
    return whole(`resized ${input} to ${output}: only at the ends do input and output elements meet`);
  const interpolation = ask.interpolation(scale ?? output / input);
  const sampling: Sampling = { input, output, p, q, coordinates: ask.coordinates, interpolation, scale };
  const reason = doubt(sampling);
  if (reason) return whole(reason);
  return reachesEnd(sampling) ? sampling : whole(`a scale of ${scale} rounds differently in a part`);
}

const resize =
  (askOf: (node: Parameters<Rule>[0]) => Ask): Rule =>
  (node) => {
    const ask = askOf(node);
    const [input, output] = [node.inputs[0]!.shape, node.outputs[0]!.shape];
    const letters = axisLetters(output.length);
    const axes = input.map((size, i): Axis | Whole =>
      ask.axes.includes(i) ? (ask.special(i) ?? sampledAxis(ask, size, output[i]!, ask.scales?.[i] ?? null)) : 'same',
    );
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
        const unchanged = ask.axes.every((i) => (ask.scales ?? output)[i] === values[i]);
        const told = unchanged ? tile : ask.retell(tile.inputs, values);
        const crop = parts.map((part, i): Span => part?.keep ?? [0, yields[i]!]);
        return crop.every((span, i) => length(span) === yields[i]) ? told : { ...told, crop };
      },
    });
  };

const reasonOf = (axis: Axis | Whole) => (typeof axis === 'object' && 'whole' in axis ? axis.whole : undefined);

/** The scale that makes a tile of `read` elements yield `size`. Where only sizes count it lies safely between two sizes. */
function scaleFor(ask: Ask, axis: Axis | Whole, scale: number, read: number, size: number, whole: number): number {
  if (size === whole || axis === 'same') return scale;
  if (axis === 'repeated') return size / read;
  return ask.coordinates === 'align_corners' ? (size + 0.5) / read : scale;
}

export const resizeFamily: Family = {
  Resize: resize((node) => (node.opset < 11 ? oldAsk : newAsk)(node)),
  Upsample: resize(oldAsk),
};
