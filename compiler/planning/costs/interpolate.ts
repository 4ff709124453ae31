/** Seconds at sizes that were not measured, from those that were: along each letter on the line of points that is nearest. */
import type { Point } from '../../profile/profile.ts';
import type { Sizes } from './signature.ts';

/** Further from any measured point than this factor in work, a guess is no interpolation. */
const REACH = 8;

const total = ({ seconds }: Point): number => seconds.reduce((sum, one) => sum + one, 0);

/** Equal sizes, equal text. */
const textOf = (sizes: Sizes): string => JSON.stringify(Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1)));

/** How far apart sizes are: the sum of |log2| over the letters. */
const distance = (a: Sizes, b: Sizes): number =>
  Object.keys(a).reduce((sum, letter) => sum + Math.abs(Math.log2(a[letter]! / b[letter]!)), 0);

/**
 * Piecewise linear through (size, seconds), ascending. Beyond the ends as the two last points go, but a smaller tile takes no
 * less than its share of the smallest, and a larger one no less than the largest.
 */
function along(line: readonly (readonly [size: number, seconds: number])[], size: number): number {
  const after = line.findIndex(([at]) => at >= size);
  const right = after < 0 ? line.length - 1 : Math.max(1, after);
  const [[x0, y0], [x1, y1]] = [line[right - 1]!, line[right]!];
  const straight = y0 + ((size - x0) * (y1 - y0)) / (x1 - x0);
  if (after < 0) return Math.max(straight, y1);
  return after === 0 ? Math.max(straight, (y0 * size) / x0) : straight;
}

export interface Found {
  readonly point: Point;
  /** Times the point's seconds. */
  readonly factor: number;
  readonly exact: boolean;
}

/** Points of one chain and layout, to be asked for any sizes. */
export class Measurements {
  private readonly lines = new Map<string, { at: Sizes; points: (readonly [number, number])[] }[]>();
  private readonly known = new Map<string, Found | null>();

  constructor(private readonly points: readonly Point[]) {
    for (const point of points) this.known.set(textOf(point.sizes), { point, factor: 1, exact: true });
    for (const letter of Object.keys(points[0]?.sizes ?? {})) this.lines.set(letter, this.linesAlong(letter));
  }

  /** Points that differ in one letter only, two and more. */
  private linesAlong(letter: string) {
    const lines = new Map<string, { at: Sizes; points: (readonly [number, number])[] }>();
    for (const point of this.points) {
      const key = textOf({ ...point.sizes, [letter]: 0 });
      const line = lines.get(key) ?? { at: point.sizes, points: [] };
      line.points.push([point.sizes[letter]!, total(point)]);
      lines.set(key, line);
    }
    const long = [...lines.values()].filter(({ points }) => points.length > 1);
    for (const { points } of long) points.sort(([a], [b]) => a - b);
    return long;
  }

  get isEmpty(): boolean {
    return this.points.length === 0;
  }

  /** null where nothing near was measured. */
  find(sizes: Sizes): Found | null {
    const text = textOf(sizes);
    const known = this.known.get(text);
    if (known !== undefined) return known;
    const found = this.between(sizes);
    this.known.set(text, found);
    return found;
  }

  private between(sizes: Sizes): Found | null {
    const distances = this.points.map((one) => distance(sizes, one.sizes));
    const nearest = Math.min(...distances);
    if (!(nearest <= Math.log2(REACH))) return null;
    const point = this.points[distances.indexOf(nearest)]!;
    const factors = Object.keys(sizes).map((letter) => this.ratio(letter, point.sizes, sizes[letter]!));
    return { point, factor: factors.reduce((product, one) => product * one, 1), exact: false };
  }

  /** How seconds change from one size of a letter to another: as on the nearest line, else in proportion. */
  private ratio(letter: string, from: Sizes, to: number): number {
    const size = from[letter]!;
    if (size === to) return 1;
    const lines = this.lines.get(letter)!;
    const distances = lines.map(({ at }) => distance({ ...at, [letter]: 1 }, { ...from, [letter]: 1 }));
    const line = lines[distances.indexOf(Math.min(...distances))];
    if (!line) return to / size;
    const here = along(line.points, size);
    return here > 0 ? along(line.points, to) / here : to / size;
  }
}
