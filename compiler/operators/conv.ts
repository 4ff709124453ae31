/** Convolutions: output channels and batch are free, rows and columns are windows, input channels a sum. */
import { length, type Span } from '../ir/region.ts';
import {
  byLetters,
  changes,
  type Family,
  int,
  ints,
  isWhole,
  type LetterSpec,
  type Node,
  type Rule,
  type Tile,
  whole,
  wholeAt,
} from './rule.ts';
import {
  kernelLetters,
  overlaps,
  reach,
  type Slide,
  slideAttributes,
  slideCrop,
  slidesOf,
  slideTile,
  spatialLetters,
} from './window.ts';

/** Which inputs are what: quantized convolutions carry scales and zero points between them. */
interface Roles {
  readonly weight: number;
  readonly bias?: number;
  /** Inputs with one element, or one an output channel. */
  readonly perChannel?: readonly number[];
  /** An input of the output's shape. */
  readonly addend?: number;
  /** Partial sums over input channels cannot be added up, because. */
  readonly noSums?: string;
}

type Channels = Pick<LetterSpec, 'inputs' | 'kinds' | 'whole' | 'windows' | 'steps'>;

/** Without groups input channels are summed, with them they follow the output's: cuts lie between groups. */
function channelsOf(node: Node, roles: Roles, group: number, h: string, y: string): Channels {
  const outputs = node.inputs[roles.weight]!.shape[0]!;
  const inputs = (x: string, w: string) =>
    node.inputs.map((input, i) => {
      if (!input) return null;
      if (i === 0) return x;
      if (i === roles.weight) return w;
      if (i === roles.addend) return `no${h}`;
      const many = (i === roles.bias || roles.perChannel?.includes(i)) && input.shape[0] === outputs;
      return many ? 'o' : '*';
    });
  if (group === 1) {
    const channel = roles.noSums ? { whole: { c: roles.noSums } } : { kinds: { c: 'reduce' } as const };
    return { inputs: inputs(`nc${h}`, `oc${y}`), ...channel };
  }
  const [read, made] = [node.inputs[0]!.shape[1]! / group, outputs / group];
  const channels = ([begin, end]: Span): Span => [(begin / made) * read, (end / made) * read];
  return {
    inputs: inputs(`no${h}`, `oi${y}`),
    whole: { i: 'every output needs all channels of its group' },
    windows: { o: (span, input) => (input === 0 ? channels(span) : span) },
    steps: { o: made },
  };
}

/** The dimensions where a window may see nothing but padding. */
const paddingOnly = (slides: readonly Slide[]): number[] =>
  [...slides.keys()].filter((i) => Math.max(slides[i]!.padBegin, slides[i]!.padEnd) >= reach(slides[i]!));

/** The rule of a convolution whose inputs have these roles. */
export const conv =
  (roles: Roles): Rule =>
  (node) => {
    const [x, w, output] = [node.inputs[0]!.shape, node.inputs[roles.weight]!.shape, node.outputs[0]!.shape];
    const rank = x.length - 2;
    if (rank < 1 || rank > 3) return whole(`a convolution over ${rank} dimensions is not split`);
    const kernel = ints(node, 'kernel_shape') ?? w.slice(2);
    const slides = slidesOf(node, { input: x.slice(2), output: output.slice(2), kernel });
    if (isWhole(slides)) return slides;
    const [h, y, group] = [spatialLetters(rank), kernelLetters(rank), int(node, 'group') ?? 1];
    const channels = channelsOf(node, roles, group, h, y);
    const sums = channels.kinds?.c === 'reduce';
    const perLetter = <T>(value: (i: number) => T) => Object.fromEntries(slides.map((_, i) => [h[i]!, value(i)]));
    return byLetters(node, {
      ...channels,
      outputs: [`no${h}`],
      kinds: { ...channels.kinds, ...perLetter((i) => (overlaps(slides[i]!) ? 'window' : 'free')) },
      whole: {
        ...channels.whole,
        ...wholeAt(y, [...y].keys(), 'every output needs the whole kernel'),
        ...(roles.addend && node.inputs[roles.addend]
          ? wholeAt(h, paddingOnly(slides), 'a tile of padding alone has nothing to add to')
          : {}),
      },
      windows: {
        ...channels.windows,
        ...perLetter(
          (i) => (span: Span, input: number) => (input === roles.addend ? span : slideTile(slides[i]!, span).read),
        ),
      },
      ...(sums ? { combine: 'sum' } : {}),
      adjust: (tile, spans): Tile => {
        const tiles = slides.map((slide, i) => slideTile(slide, spans[h[i]!]!));
        const later = sums && spans.c![0] > 0;
        const groups = channels.steps ? length(spans.o!) / channels.steps.o! : group;
        return {
          inputs: later ? tile.inputs.filter((_, i) => i !== roles.bias) : tile.inputs,
          attributes: {
            ...slideAttributes(node, tiles),
            ...(groups === group ? {} : changes(node, { group: { kind: 'int', value: groups } })),
          },
          ...slideCrop([length(spans.n!), length(spans.o!)], tiles),
        };
      },
    });
  };

export const convFamily: Family = {
  Conv: conv({ weight: 1, bias: 2 }),
  ConvInteger: conv({ weight: 1, perChannel: [3] }),
  QLinearConv: conv({ weight: 3, bias: 8, perChannel: [4, 5], noSums: 'sums are rounded to few bits' }),
};
