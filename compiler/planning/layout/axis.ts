/** One operator cut along one axis: which letter that is, and what tiles read along the axis of each input. */
import { type Compute, type Program, reads, type Tensor, tensorOf } from '../../ir/program.ts';
import { length as lengthOf, type Region, type Span } from '../../ir/region.ts';
import { type Cut, isWhole, type Tile } from '../../operators/rule.ts';
import { valueBytes } from '../costs/roofline.ts';
import { cutsOf, isCuttable, sourcesOf } from '../cuts.ts';
import { primaryLetters, wholeSpans } from '../resolve.ts';

/** What is cut where an operator can be cut along several axes. */
export type Orientation = 'rows' | 'columns' | 'channels';

/** Positions along an axis that are told apart; longer axes are cut at multiples. */
const POSITIONS = 256;

/** Dimensions in the order they are tried. */
function preference(rank: number, orientation: Orientation): number[] {
  const spatial = rank >= 4 ? Array.from({ length: rank - 2 }, (_, i) => i + 2) : rank === 3 ? [1] : [];
  const channels = rank >= 4 ? 1 : rank - 1;
  if (orientation === 'columns') spatial.reverse();
  const order = orientation === 'channels' ? [channels, ...spatial] : [...spatial, channels];
  return [...order, 0].filter((dimension) => 0 <= dimension && dimension < rank);
}

export interface AxisRead {
  readonly tensor: string;
  /** First element read by a tile that begins at `step * index`, along the tensor's own axis. */
  readonly begin: Int32Array;
  /** End of what a tile reads that ends at `step * index`, or at the layer's length. */
  readonly end: Int32Array;
  /** Of the tensor's other dimensions, the fraction that tiles read; below 1 where there are some that none reads (a Slice's). */
  readonly fraction: number;
  /** Of that fraction a tile reads its share only. */
  readonly proportional: boolean;
}

/** One operator, cut along one letter. */
export interface AxisCut {
  readonly operator: Compute;
  /** null: it runs whole. */
  readonly cut: Cut | null;
  readonly letter: string;
  /** Elements along the letter; 1 where it runs whole. */
  readonly length: number;
  readonly step: number;
  readonly reads: readonly AxisRead[];
  readonly weightBytes: number;
  /** A tile reads its share of the weights only. */
  readonly sharesWeights: boolean;
}

/** The dimension of every tensor along which it is cut, decided operator by operator; null: it is not cut. */
export class Axes {
  private readonly axes = new Map<string, number | null>();
  /** By cut, which repeated blocks share, then by letter. */
  private readonly tables = new Map<Cut, Map<string, Tiles>>();

  constructor(
    private readonly program: Program<'imported'>,
    private readonly orientation: Orientation,
  ) {}

  /** The dimension along which a tensor is cut, once an operator that makes or reads it has been. */
  axis(name: string): number | null {
    return this.axes.get(name) ?? null;
  }

  /** Elements of a tensor along its axis. */
  length(name: string): number {
    const axis = this.axis(name);
    return axis === null ? 1 : (tensorOf(this.program, name).shape[axis] ?? 1);
  }

  /** How an operator is cut, given how what it reads is cut: along the letter that needs the least of the others' parts. */
  cut(operator: Compute): AxisCut {
    const found = cutsOf(this.program).cuts.get(operator.origin)!;
    const candidates = isWhole(found) || !isCuttable(found) ? [] : this.candidates(operator, found);
    const best = candidates.reduce((a, b) => (this.score(b) > this.score(a) ? b : a), candidates[0] ?? null);
    for (const [i, output] of operator.outputs.entries()) {
      if (!output) continue;
      const at = best ? best.cut.outputs[i]!.indexOf(best.letter) : -1;
      this.axes.set(output.tensor, at < 0 ? null : at);
    }
    return this.axisCut(operator, best);
  }

  private candidates(operator: Compute, cut: Cut): Candidate[] {
    const primary = primaryLetters(cut);
    const letters = preference(primary.length, this.orientation).map((i) => primary[i]!);
    return [...new Set(letters)].flatMap((letter) => {
      const { kind, size, step = 1 } = cut.letters[letter]!;
      // Every output is cut at the same places: otherwise each would need an axis of its own.
      const isShared =
        cut.outputs.every((output) => output === null || output.includes(letter)) && !cut.makes?.[letter];
      if (kind === 'whole' || size <= step || !isShared) return [];
      const half: Span = [0, Math.ceil(size / step / 2) * step];
      return [{ operator, cut, letter, half: tileAt(cut, letter, half) }];
    });
  }

  /** Inputs of which half a tile reads a part along their axis, less those of which it reads all. */
  private score({ operator, half }: Candidate): number {
    return operator.inputs.reduce((sum, input, i) => {
      const tensor = this.source(input);
      const read = regionOf(half, i);
      if (tensor === null || !read) return sum;
      const axis = this.axes.get(tensor);
      const { shape } = tensorOf(this.program, tensor);
      // An input of the model is cut as its first reader likes.
      if (axis === undefined) return sum + (read.some((span, d) => lengthOf(span) < shape[d]!) ? 1 : -1);
      if (axis === null || shape[axis] === 1) return sum;
      return sum + (lengthOf(read[axis]!) < shape[axis]! ? 1 : -1);
    }, 0);
  }

  /** The tensor that a device must have to read an input; null: weights are all it takes. */
  private source(input: Compute['inputs'][number]): string | null {
    return input?.kind === 'value' ? (sourcesOf(this.program, [input])[0]?.tensor ?? null) : null;
  }

  private axisCut(operator: Compute, chosen: Candidate | null): AxisCut {
    const weights = reads(operator).filter(({ tensor }) => tensorOf(this.program, tensor).role === 'weight');
    const weightBytes = weights.reduce((sum, value) => sum + valueBytes(this.program, value), 0);
    const shared = { operator, weightBytes };
    if (!chosen) {
      const all = sourcesOf(this.program, reads(operator));
      const whole = all.map(({ tensor }) => this.wholeRead(tensor, 1));
      return { cut: null, letter: '', length: 1, step: 1, reads: whole, sharesWeights: false, ...shared };
    }
    const { cut, letter, half } = chosen;
    const { size, step: least = 1 } = cut.letters[letter]!;
    const step = least * Math.ceil(size / least / POSITIONS);
    const sharesWeights = operator.inputs.some((input, i) => {
      if (input?.kind !== 'value' || tensorOf(this.program, input.tensor).role !== 'weight') return false;
      const read = regionOf(half, i);
      return read?.some((span, d) => lengthOf(span) < (tensorOf(this.program, input.tensor).shape[d] ?? 1));
    });
    const tiles = this.tiles(cut, letter, size, step);
    const made = operator.inputs.flatMap((input, i) => {
      const tensor = this.source(input);
      return tensor === null ? [] : [this.read(tensor, i, half, tiles)];
    });
    return { cut, letter, length: size, step, reads: made, sharesWeights, ...shared };
  }

  private tiles(cut: Cut, letter: string, size: number, step: number): Tiles {
    const ofCut = this.tables.get(cut) ?? new Map<string, Tiles>();
    this.tables.set(cut, ofCut);
    const tiles = ofCut.get(letter) ?? tilesAlong(cut, letter, size, step);
    ofCut.set(letter, tiles);
    return tiles;
  }

  private read(name: string, input: number, half: Tile, tiles: Tiles): AxisRead {
    const all = regionOf(tiles.from[0]!, input);
    const part = shorterDimensions(regionOf(half, input), all);
    if (!this.axes.has(name)) this.axes.set(name, part[0] ?? null);
    const axis = this.axes.get(name)!;
    const size = this.length(name);
    const fraction = fractionOf(tensorOf(this.program, name), all, axis);
    if (axis === null)
      return { ...this.wholeRead(name, tiles.from.length - 1), fraction, proportional: part.length > 0 };
    return {
      tensor: name,
      // A tile that reads nothing of the tensor (Concat's) reads from its end to its beginning.
      begin: Int32Array.from(tiles.from, (tile) => spanOf(tile, input, axis)?.[0] ?? size),
      end: Int32Array.from(tiles.to, (tile) => spanOf(tile, input, axis)?.[1] ?? 0),
      fraction,
      proportional: part.some((dimension) => dimension !== axis),
    };
  }

  private wholeRead(tensor: string, positions: number): AxisRead {
    if (!this.axes.has(tensor)) this.axes.set(tensor, null);
    const begin = new Int32Array(positions + 1);
    return { tensor, begin, end: begin.map(() => this.length(tensor)), fraction: 1, proportional: false };
  }
}

interface Candidate {
  readonly operator: Compute;
  readonly cut: Cut;
  readonly letter: string;
  /** The tile of the first half. */
  readonly half: Tile;
}

/** Tiles from every position to the end, and from the beginning to every position. */
interface Tiles {
  readonly from: readonly (Tile | null)[];
  readonly to: readonly (Tile | null)[];
}

function tilesAlong(cut: Cut, letter: string, size: number, step: number): Tiles {
  const positions = Array.from({ length: Math.ceil(size / step) + 1 }, (_, i) => Math.min(size, i * step));
  return {
    from: positions.map((at) => (at < size ? tileAt(cut, letter, [at, size]) : null)),
    to: positions.map((at) => (at > 0 ? tileAt(cut, letter, [0, at]) : null)),
  };
}

const tileAt = (cut: Cut, letter: string, span: Span): Tile => cut.tile({ ...wholeSpans(cut), [letter]: span });

function regionOf(tile: Tile, input: number): Region | null {
  const read = tile.inputs[input];
  return !read || 'kind' in read ? null : read;
}

const spanOf = (tile: Tile | null, input: number, axis: number): Span | undefined =>
  (tile && regionOf(tile, input))?.[axis];

/** Dimensions of which the first reads less than the second. */
const shorterDimensions = (region: Region | null, all: Region | null): number[] =>
  region && all ? region.flatMap((span, d) => (lengthOf(span) < lengthOf(all[d]!) ? [d] : [])) : [];

/** How much of the dimensions but one a region covers. */
const fractionOf = ({ shape }: Tensor, region: Region | null, axis: number | null): number =>
  (region ?? []).reduce((all, span, d) => (d === axis ? all : all * (lengthOf(span) / (shape[d] || 1))), 1);
